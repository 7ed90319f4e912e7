//! Writes `docs/configuration.md` from the definition.

use super::Config;
use std::fmt::Write as _;

const HEAD: &str = "# Configuration

<!-- Written by `tributary check-config --document`; a test compares. Change src/config/sections.rs instead. -->

One TOML file, given with `tributary serve --config FILE`. Every key may be left out. `tributary check-config FILE`
says what is wrong with a file, with line numbers. A variable `TRIBUTARY_SECTION_KEY` in the environment
(`TRIBUTARY_SERVER_LISTEN=127.0.0.1:9000`) replaces the key of the file; a list is written as in the file
(`TRIBUTARY_SERVER_DIGEST='[\"MD5\"]'`), and tables in double brackets have no variables.

```toml
[server]
listen = \"0.0.0.0:443\"
domains = [\"example.com\"]

[tls]
certificate = \"/etc/tributary/fullchain.pem\"
key = \"/etc/tributary/privkey.pem\"

[store]
data = \"/var/lib/tributary\"

[[users]]
name = \"alice\"
password_file = \"/etc/tributary/alice.secret\"
```
";

/// The text of `docs/configuration.md`.
pub fn documentation() -> String {
    let mut out = HEAD.to_owned();
    for section in Config::sections() {
        let (open, close) = if section.repeated { ("[[", "]]") } else { ("[", "]") };
        let _ = write!(out, "\n## `{open}{}{close}`\n\n{}\n\n", section.name, section.text);
        out.push_str("| key | takes | default | what it does |\n| --- | --- | --- | --- |\n");
        for key in section.keys {
            let default =
                if key.default.starts_with('(') { key.default } else { format!("`{}`", key.default) };
            let _ = writeln!(out, "| `{}` | {} | {default} | {} |", key.name, key.kind, key.text);
        }
    }
    out
}
