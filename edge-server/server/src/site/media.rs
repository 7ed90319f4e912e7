//! Media types and encodings of files, by their names.

/// Content encodings with the ending that a packed copy has, best first.
pub(super) const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// The media type of a file.
pub(super) fn of(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

/// Whether the file's name carries a hash of its content: `app-3F2A9C1B.js`, as esbuild names them.
pub(super) fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        for (path, expect) in [
            ("app-3F2A9C1B.js", true),
            ("assets/app-3F2A9C1B.js", true),
            ("most-recent-device.wasm", false),
            ("app.js", false),
            ("index.html", false),
            ("a-12345678.css", true),
            ("a-1234567.css", false),
        ] {
            assert_eq!(is_hashed(path), expect, "{path}");
        }
    }
}
