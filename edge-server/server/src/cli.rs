//! The command line: what there is, what it means, and examples.

mod policy;

pub use policy::{Language, Policy, PolicyAction};

use crate::transport::is_loopback_name;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A SIP presence server: many devices publish, one person appears.
#[derive(Debug, Parser)]
#[command(
    name = "tributary",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:
  tributary demo
  tributary serve --config /etc/tributary.toml
  tributary serve --domain example.com --user alice:secret --user bob:secret --data ./state
  tributary check-config /etc/tributary.toml
  tributary merge live.json --as json
  tributary user add alice@example.com --data ./state < alice.secret
  tributary policy new quiet --lang rust"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(Serve),
    /// Run a demonstration on this machine: no authentication, loopback only, users alice and bob.
    Demo(Demo),
    /// Read a configuration file and say what is wrong with it, with line numbers.
    CheckConfig(CheckConfig),
    /// Merge a captured live set (the JSON of /api/v1/presentities/AOR/live) and write the result.
    Merge(Merge),
    /// Add, remove and list the users that are stored.
    User(User),
    /// Make, check, test and measure policies, and put them in force.
    Policy(Policy),
    /// Compile a policy from standard input under limits; the server starts this for itself.
    #[command(hide = true)]
    CompilePolicy,
}

/// Options of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "Either --config, or the options of a quick trial:
  tributary serve --config /etc/tributary.toml
  tributary serve --listen 127.0.0.1:8080 --domain example.com --user alice:secret --data ./state
  tributary serve --domain example.com --open

Every key of the file can be replaced by a variable TRIBUTARY_SECTION_KEY, such as
TRIBUTARY_SERVER_LISTEN=127.0.0.1:9000 or TRIBUTARY_SERVER_DIGEST='[\"MD5\"]'. All keys are in docs/configuration.md.")]
pub struct Serve {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port; replaces server.listen.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Address and port for SIP over UDP as well; may be given several times.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub sip_udp: Vec<SocketAddr>,
    /// Address and port for SIP over TCP as well; may be given several times.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub sip_tcp: Vec<SocketAddr>,
    /// Address and port for SIP over TLS as well; needs --certificate and --key.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub sip_tls: Vec<SocketAddr>,
    /// A domain to serve; replaces server.domains; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub domain: Vec<String>,
    /// A digest algorithm to offer: SHA-512-256, SHA-256 or MD5; replaces server.digest; may be given
    /// several times, and is then offered in that order.
    #[arg(long, value_name = "NAME")]
    pub digest: Vec<String>,
    /// A user of the first domain; may be given several times. Others on this machine can see it in
    /// the list of processes: for trials only.
    #[arg(long, value_name = "NAME:SECRET", value_parser = user)]
    pub user: Vec<(String, String)>,
    /// Where state is kept; replaces store.data. Without it state ends with the process.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// No authentication; loopback only.
    #[arg(long)]
    pub open: bool,
    /// Serve the page from this folder.
    #[arg(long, value_name = "FOLDER")]
    pub site: Option<PathBuf>,
    /// TLS certificate chain (PEM); replaces tls.certificate.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// TLS private key (PEM); replaces tls.key.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
}

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tributary demo
  tributary demo --listen 127.0.0.1:0 --data ./state")]
pub struct Demo {
    /// Address and port on this machine; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Keep state here, instead of in a folder that is removed at the end.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Serve the page from this folder.
    #[arg(long, value_name = "FOLDER")]
    pub site: Option<PathBuf>,
}

/// Options of `check-config`.
#[derive(Debug, Args)]
pub struct CheckConfig {
    /// The configuration file (TOML).
    #[arg(value_name = "FILE", required_unless_present = "document")]
    pub file: Option<PathBuf>,
    /// Write configuration.md and metrics.md into this folder instead.
    #[arg(long, value_name = "FOLDER", conflicts_with = "file")]
    pub document: Option<PathBuf>,
}

/// Options of `merge`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  curl -H 'Authorization: Bearer TOKEN' http://127.0.0.1:8080/api/v1/presentities/sip:alice@example.com/live \\
    | tributary merge -
  tributary merge live.json --as explanation --how newest")]
pub struct Merge {
    /// The live set; - is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What to write.
    #[arg(long = "as", value_name = "FORM", default_value = "pidf")]
    pub form: Form,
    /// The built-in merge to use instead of the live set's own.
    #[arg(long, value_name = "NAME")]
    pub how: Option<String>,
}

/// Options of `user`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples, for a demonstration on this machine, for another server that runs, and for one that does not:
  tributary user add carol@example.com --timezone Europe/Amsterdam < carol.secret
  tributary user contacts alice@example.com bob@example.com --class colleague --group managers
  tributary user list --url https://sip.example.com --token-file /var/lib/tributary/api-token
  tributary user unlock alice@example.com --url https://sip.example.com --token-file api-token
  tributary user add alice@example.com --data /var/lib/tributary < alice.secret

A password is never an argument: it is the first line of standard input or of --password-file."
)]
pub struct User {
    /// What to do.
    #[command(subcommand)]
    pub action: UserAction,
}

/// What `user` does.
#[derive(Debug, Subcommand)]
pub enum UserAction {
    /// Add a user, or give one that is stored another password.
    Add {
        /// The address, such as alice@example.com.
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// A file whose first line is the password; standard input without it.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// The user's time zone, an IANA name; none of their own without it.
        #[arg(long, value_name = "NAME")]
        timezone: Option<String>,
        /// A group that the user is in; once for each.
        #[arg(long = "group", value_name = "NAME")]
        groups: Vec<String>,
        /// With --data: the server's server.realm, where it is not the domain of the address. A server
        /// without that key takes the first of its domains.
        #[arg(long, value_name = "TEXT", requires = "data")]
        realm: Option<String>,
        /// Where users are kept.
        #[command(flatten)]
        place: UserPlace,
    },
    /// Remove a user who is stored.
    Remove {
        /// The address, such as alice@example.com.
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// Where users are kept.
        #[command(flatten)]
        place: UserPlace,
    },
    /// Write a line for each contact of a user: who it is, the class, the groups; or change one. Policies tell
    /// watchers apart by these.
    Contacts {
        /// The user's address, such as alice@example.com.
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// The contact to change: an address, or a domain for everybody there.
        #[arg(value_name = "WHO", requires = "change")]
        who: Option<String>,
        /// As what the user knows them: family, colleague or contact.
        #[arg(long, value_name = "CLASS", group = "change", requires = "who")]
        class: Option<String>,
        /// A group that they are in; once for each.
        #[arg(long = "group", value_name = "NAME", requires = "class")]
        groups: Vec<String>,
        /// Forget the contact.
        #[arg(long, group = "change", requires = "who")]
        remove: bool,
        /// The running server: --url.
        #[command(flatten)]
        place: UserPlace,
    },
    /// Write a line for each account that a running server has locked because somebody guessed passwords:
    /// the account, the address that it is locked for or `everywhere`, and until when.
    Locks {
        /// The running server: --url.
        #[command(flatten)]
        place: UserPlace,
    },
    /// Unlock such an account at once, at every address.
    Unlock {
        /// The account as `locks` writes it, such as alice@example.com.
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// The running server: --url.
        #[command(flatten)]
        place: UserPlace,
    },
    /// Write a line for each user: address, where it is from, time zone.
    List {
        /// Where users are kept.
        #[command(flatten)]
        place: UserPlace,
    },
}

/// Where users are kept.
#[derive(Debug, Args)]
pub struct UserPlace {
    /// The store of a server that does not run: its store.data. Without it, the server that runs at --url.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["url", "token_file", "ca"])]
    pub data: Option<PathBuf>,
    /// The server.
    #[command(flatten)]
    pub server: Server,
}

/// A running server and how it knows us.
#[derive(Debug, Args)]
pub struct Server {
    /// The server's URL; `http:` on this machine only.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = url)]
    pub url: http::Uri,
    /// A file whose first line is the token of the server's API; without it, the variable
    /// TRIBUTARY_API_TOKEN, or what a demonstration on this machine tells.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The authorities to trust for https (PEM), instead of this system's.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// What `merge` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// The PIDF document, as watchers get it.
    Pidf,
    /// The JSON form of presence.
    Json,
    /// Where each value came from and what it beat.
    Explanation,
}

/// Reads a URL; an address alone is meant as one of plain HTTP on this machine, and of TLS elsewhere.
fn url(text: &str) -> Result<http::Uri, String> {
    let scheme = if is_loopback_name(text) { "http" } else { "https" };
    let whole = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
    whole.parse().map_err(|error| format!("{error}; give a URL such as https://sip.example.com"))
}

/// Reads `name:secret`.
fn user(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, secret)) if !name.is_empty() && !secret.is_empty() => {
            Ok((name.to_owned(), secret.to_owned()))
        }
        _ => Err("write it as NAME:SECRET".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_url_may_be_an_address_alone() {
        for (text, expect) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("localhost:8080", "http://localhost:8080/"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("sip.example.com", "https://sip.example.com/"),
            ("http://sip.example.com", "http://sip.example.com/"),
            ("https://sip.example.com:8443/x", "https://sip.example.com:8443/x"),
        ] {
            assert_eq!(url(text).map(|url| url.to_string()).as_deref(), Ok(expect));
        }
        for wrong in ["", "a b", "http://"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_user_is_a_name_and_a_secret_which_may_hold_colons() {
        assert_eq!(user("alice:se:cret"), Ok(("alice".to_owned(), "se:cret".to_owned())));
        for wrong in ["alice", "alice:", ":secret", ""] {
            assert!(user(wrong).is_err(), "{wrong}");
        }
    }
}
