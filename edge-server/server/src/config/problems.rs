//! What is wrong with a configuration as a whole.

use super::locate::Lines;
use super::{Config, ForkSupport, Problem};
use crate::network::Network;
use std::collections::BTreeSet;
use std::path::Path;
use tributary_sip::HostPort;

/// Collects problems with their lines.
pub(super) struct Finder<'a> {
    lines: &'a Lines,
    found: Vec<Problem>,
}

impl Finder<'_> {
    pub(super) fn add(&mut self, key: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.found.push(Problem {
            line: self.lines.line(key),
            key: key.to_owned(),
            message: message.into(),
            fix: fix.into(),
        });
    }

    fn timezone(&mut self, key: &str, name: Option<&String>) {
        if let Some(name) = name.filter(|name| crate::local_time::zone(name).is_none()) {
            self.add(
                key,
                format!("{name:?} is not a time zone"),
                "give an IANA name, such as Europe/Amsterdam",
            );
        }
    }

    fn host_and_port(&mut self, key: &str, text: &str) {
        if text.parse::<HostPort>().is_err() {
            self.add(
                key,
                format!("{text:?} is not a host with or without a port"),
                "write it like sip.example.com, 203.0.113.5:5060 or [2001:db8::1]:5061",
            );
        }
    }

    pub(super) fn readable(&mut self, key: &str, file: Option<&String>) {
        let Some(file) = file else { return };
        if let Err(error) = std::fs::File::open(Path::new(file)) {
            self.add(
                key,
                format!("cannot read {file}: {error}"),
                "check the path and the file's permissions",
            );
        }
    }
}

impl Config {
    /// Everything that makes this configuration unusable or unsafe; empty when it is good.
    pub(crate) fn problems(&self, lines: &Lines) -> Vec<Problem> {
        let mut find = Finder { lines, found: Vec::new() };
        self.exposure(&mut find);
        self.domains(&mut find);
        self.names(&mut find);
        self.logins(&mut find);
        self.registrar(&mut find);
        self.bearer(&mut find);
        self.limits(&mut find);
        self.files(&mut find);
        self.servers(&mut find);
        self.policies(&mut find);
        self.trace(&mut find);
        self.otlp(&mut find);
        find.found
    }

    /// Nothing may be reachable from outside without encryption and authentication.
    fn exposure(&self, find: &mut Finder<'_>) {
        let listen = self.server.listen;
        match (&self.tls.certificate, &self.tls.key) {
            (Some(_), None) => {
                find.add("tls.certificate", "a certificate without its key", "set tls.key as well")
            }
            (None, Some(_)) => {
                find.add("tls.key", "a key without its certificate", "set tls.certificate as well")
            }
            _ => {}
        }
        if !self.sip.tls.is_empty() && !self.has_tls() {
            find.add("sip.tls", "SIP over TLS needs a certificate", "set tls.certificate and tls.key");
        }
        if self.sip.udp.len() > usize::from(tributary_engine::FlowId::SOCKETS) {
            find.add("sip.udp", "more than 127 addresses", "listen on fewer; 0.0.0.0 is all of them");
        }
        let sip = &self.sip;
        for (key, addresses) in [("sip.udp", &sip.udp), ("sip.tcp", &sip.tcp), ("sip.tls", &sip.tls)] {
            if let Some(outside) = addresses.iter().find(|address| !address.ip().is_loopback())
                && self.server.open
            {
                find.add(
                    key,
                    format!("open mode has no authentication, and {outside} is reachable from outside"),
                    "remove server.open and add [[users]], or listen on 127.0.0.1",
                );
            }
        }
        if listen.ip().is_loopback() {
            if !self.server.open && self.has_nobody() {
                find.add(
                    "users",
                    "there are no users, so nobody could log in",
                    "add a [[users]] table (or --user name:secret), store.data (--data) to keep users that the API adds, or server.open = true (--open) for a trial on loopback",
                );
            }
            return;
        }
        if !self.has_tls() {
            find.add(
                "server.listen",
                format!("{listen} is reachable from outside, and there is no TLS"),
                "set tls.certificate and tls.key, or listen on 127.0.0.1 behind a proxy that does TLS",
            );
        }
        if self.server.open {
            find.add(
                "server.open",
                format!("open mode has no authentication, and {listen} is reachable from outside"),
                "remove server.open and add [[users]], or listen on 127.0.0.1",
            );
        } else if self.has_nobody() {
            find.add(
                "users",
                "there are no users, so nobody could log in",
                "add a [[users]] table for each user, or store.data to keep users that the API adds",
            );
        }
    }

    /// Without a store nobody can be there but the users of the file.
    fn has_nobody(&self) -> bool {
        self.users.is_empty() && self.store.data.is_none()
    }

    fn domains(&self, find: &mut Finder<'_>) {
        if self.server.domains.is_empty() {
            find.add(
                "server.domains",
                "no domain is given",
                "name at least one, such as domains = [\"example.com\"]",
            );
        }
        for domain in &self.server.domains {
            if !is_host(domain) {
                find.add(
                    "server.domains",
                    format!("{domain:?} is not a host name"),
                    "give the part behind the @ of an address, without scheme and port",
                );
            }
        }
    }

    /// By what names others find this server.
    fn names(&self, find: &mut Finder<'_>) {
        for (transport, name) in &self.sip.advertise {
            let key = format!("sip.advertise.{transport}");
            if !matches!(transport.as_str(), "udp" | "tcp" | "tls") {
                find.add(&key, format!("{transport:?} is no transport of SIP"), "give udp, tcp or tls");
            }
            find.host_and_port(&key, name);
        }
        for alias in &self.sip.aliases {
            find.host_and_port("sip.aliases", alias);
        }
    }

    fn logins(&self, find: &mut Finder<'_>) {
        if self.digest_algorithms().is_none() {
            find.add(
                "server.digest",
                format!("{:?} is not a list of digest algorithms", self.server.digest),
                "give \"SHA-512-256\", \"SHA-256\", \"MD5\" or some of them, each once",
            );
        }
        find.timezone("server.timezone", Some(&self.server.timezone));
        for (domain, zone) in &self.server.timezones {
            let key = format!("server.timezones.{domain}");
            if !self.serves(domain) {
                find.add(
                    &key,
                    format!("{domain} is not one of server.domains"),
                    "add it to server.domains or correct it",
                );
            }
            find.timezone(&key, Some(zone));
        }
        for (domain, tenant) in &self.server.tenants {
            let key = format!("server.tenants.{domain}");
            if !self.serves(domain) {
                find.add(
                    &key,
                    format!("{domain} is not one of server.domains"),
                    "add it to server.domains or correct it",
                );
            }
            if !crate::tenants::is_tenant(tenant) {
                find.add(
                    &key,
                    format!("{tenant:?} is not a tenant's name"),
                    "use lower-case letters, digits, `-`, `_` and `.`, at most 64",
                );
            }
        }
        let mut seen = BTreeSet::new();
        for (index, user) in self.users.iter().enumerate() {
            let key = |name: &str| format!("users[{index}].{name}");
            if !crate::users::is_name(&user.name) {
                find.add(
                    &key("name"),
                    format!("{:?} is not a user name", user.name),
                    "give the part before the @, without colons, quotes and blanks",
                );
            }
            let domain = user.domain.as_deref().unwrap_or_else(|| self.first_domain()).to_ascii_lowercase();
            if !self.serves(&domain) {
                find.add(
                    &key("domain"),
                    format!("{domain} is not one of server.domains"),
                    "add it to server.domains or correct it",
                );
            }
            if !seen.insert((user.name.clone(), domain.clone())) {
                find.add(
                    &key("name"),
                    format!("{}@{domain} is given twice", user.name),
                    "remove one of the two",
                );
            }
            let ways = [&user.password, &user.password_file].into_iter().flatten().count();
            let digests = [&user.ha1_md5, &user.ha1_sha256].into_iter().flatten().count();
            let more = usize::from(user.ha1_sha512_256.is_some());
            if ways + digests + more == 0 {
                find.add(
                    &key("password"),
                    format!("{} has no password", user.name),
                    "set password, password_file, or ha1_md5 and ha1_sha256",
                );
            } else if ways > 1 || (ways == 1 && digests + more > 0) {
                find.add(
                    &key("password"),
                    format!("{} has a password in more than one form", user.name),
                    "keep one of password, password_file, or the digests",
                );
            }
            if digests == 1 || (ways + digests == 0 && more > 0) {
                find.add(
                    &key("ha1_md5"),
                    "one digest without the other",
                    "give both ha1_md5 and ha1_sha256: browsers answer the first, other clients the second",
                );
            }
            for (name, value, length) in [
                ("ha1_md5", &user.ha1_md5, 32),
                ("ha1_sha256", &user.ha1_sha256, 64),
                ("ha1_sha512_256", &user.ha1_sha512_256, 64),
            ] {
                let Some(value) = value else { continue };
                if value.len() != length || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    find.add(
                        &key(name),
                        format!("not {length} hexadecimal digits"),
                        format!("it is the digest of \"{}:{}:password\"", user.name, self.realm()),
                    );
                }
            }
            find.readable(&key("password_file"), user.password_file.as_ref());
            find.timezone(&key("timezone"), user.timezone.as_ref());
            if crate::contacts::groups(user.groups.clone()).is_none() {
                find.add(&key("groups"), crate::contacts::WHAT_GROUPS, "give fewer or shorter ones");
            }
        }
    }

    fn registrar(&self, find: &mut Finder<'_>) {
        for name in self.registrar.headers.iter().filter(|name| !tributary_engine::may_be_kept(name)) {
            find.add(
                "registrar.headers",
                format!("{name:?} is no header that can be kept"),
                "give names of headers that describe a client, such as \"User-Agent\" or \"X-*\"; what carries a request cannot be kept",
            );
        }
        for service in &self.presence.services {
            if tributary_sip::Aor::parse(service).is_err() {
                find.add(
                    "presence.services",
                    format!("{service:?} is no address"),
                    "write it as \"sip:name@domain\"",
                );
            }
        }
        for watcher in &self.registrar.watchers {
            if tributary_sip::Aor::parse(watcher).ok().is_none_or(|aor| !self.serves(aor.host())) {
                find.add(
                    "registrar.watchers",
                    format!("{watcher:?} is not the address of a user here"),
                    "write it as \"sip:name@domain\", with one of server.domains",
                );
            }
        }
        let keeps_supported =
            self.registrar.headers.iter().any(|name| name.eq_ignore_ascii_case("Supported"));
        if self.proxy.fork_support == ForkSupport::MsForking && !keeps_supported {
            find.add(
                "proxy.fork_support",
                "no device could say ms-forking, since Supported is not kept",
                "add \"Supported\" to registrar.headers",
            );
        }
        let tag = self.proxy.no_fork_tag.strip_prefix('+').unwrap_or_default();
        if tag.is_empty() || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!'.-%".contains(&byte))
        {
            find.add(
                "proxy.no_fork_tag",
                format!("{:?} is no feature tag of a tree of its own", self.proxy.no_fork_tag),
                "begin it with + and a domain of yours, such as \"+com.example.nofork\"",
            );
        }
        let is_route = |route: &&String| {
            let route = tributary_sip::NameAddr::parse(route);
            route.is_some_and(|route| route.parse_uri().is_ok_and(|uri| uri.is_sip() && uri.params.has("lr")))
        };
        for route in self.registrar.service_route.iter().filter(|route| !is_route(route)) {
            find.add(
                "registrar.service_route",
                format!("{route:?} is not a route"),
                "write it as \"<sip:proxy.example.com;lr>\"",
            );
        }
    }

    /// Tokens are only worth what is checked of them.
    fn bearer(&self, find: &mut Finder<'_>) {
        let bearer = &self.bearer;
        for (key, value) in [("bearer.issuer", &bearer.issuer), ("bearer.audience", &bearer.audience)] {
            match (&bearer.keys, value) {
                (Some(_), None) => find.add(
                    key,
                    "not set, so that tokens made for others would be good here",
                    "give what the authorization server puts into the tokens that are for this server",
                ),
                (None, Some(_)) => {
                    find.add(key, "tokens are not taken without bearer.keys", "set bearer.keys")
                }
                _ => {}
            }
        }
        if bearer.keys.is_some() && self.server.open {
            find.add("bearer.keys", "open mode asks nobody for a token", "remove server.open or bearer.keys");
        }
        if bearer.authz_server.as_ref().is_some_and(|url| !url.starts_with("https://")) {
            find.add("bearer.authz_server", "not an https: URL", "RFC 8898 allows no other");
        }
        find.readable("bearer.keys", bearer.keys.as_ref().filter(|keys| !keys.contains("://")));
        find.readable("bearer.authorities", bearer.authorities.as_ref());
    }

    fn limits(&self, find: &mut Finder<'_>) {
        let presence = &self.presence;
        let p = presence;
        for (what, min, default, max) in [
            (
                "registration",
                p.min_registration_seconds,
                p.default_registration_seconds,
                p.max_registration_seconds,
            ),
            (
                "publication",
                p.min_publication_seconds,
                p.default_publication_seconds,
                p.max_publication_seconds,
            ),
            (
                "subscription",
                p.min_subscription_seconds,
                p.default_subscription_seconds,
                p.max_subscription_seconds,
            ),
        ] {
            if min > default {
                find.add(
                    &format!("presence.min_{what}_seconds"),
                    format!("{min} is more than presence.default_{what}_seconds, {default}"),
                    "the shortest must not be longer than the default",
                );
            }
            if default > max {
                find.add(
                    &format!("presence.max_{what}_seconds"),
                    format!("{max} is less than presence.default_{what}_seconds, {default}"),
                    "the longest must not be shorter than the default",
                );
            }
        }
        for name in self.limits.keys() {
            if tributary_engine::Limits::default().get(name).is_none() {
                find.add(
                    &format!("limits.{name}"),
                    "no limit has this name",
                    "remove the key or correct its name; docs/configuration.md lists them all",
                );
            }
        }
        for (key, value, least) in [
            ("websocket.max_message_bytes", self.websocket.max_message_bytes, 1_300),
            (
                "websocket.output_queue_bytes",
                self.websocket.output_queue_bytes,
                self.websocket.max_message_bytes,
            ),
            ("websocket.output_queue_messages", self.websocket.output_queue_messages, 8),
            ("http.max_head_bytes", self.http.max_head_bytes, 8_192),
            ("lockout.seconds", self.lockout.seconds as usize, 1),
            ("lockout.entries", self.lockout.entries as usize, 1_024),
            ("overload.addresses", self.overload.addresses as usize, 1_024),
            ("server.auth_lifetime_seconds", self.server.auth_lifetime_seconds as usize, 1),
            ("websocket.ping_seconds", self.websocket.ping_seconds as usize, 1),
            ("websocket.pong_seconds", self.websocket.pong_seconds as usize, 1),
            ("http.handshake_seconds", self.http.handshake_seconds as usize, 1),
            ("sip.max_body_bytes", self.sip.max_body_bytes, 1_300),
            ("sip.message_seconds", self.sip.message_seconds as usize, 1),
            ("sip.idle_seconds", self.sip.idle_seconds as usize, 1),
            ("sip.t1_ms", self.sip.t1_ms as usize, 50),
            ("sip.t2_ms", self.sip.t2_ms as usize, self.sip.t1_ms as usize),
            ("proxy.ring_seconds", self.proxy.ring_seconds as usize, 1),
            ("http.write_seconds", self.http.write_seconds as usize, 1),
            ("trace.messages_per_second", self.trace.messages_per_second as usize, 1),
            ("trace.max_seconds", self.trace.max_seconds as usize, 1),
        ] {
            if value < least {
                find.add(key, format!("{value} is too small"), format!("give at least {least}"));
            }
        }
        if self.server.shards > 256 {
            find.add("server.shards", "more than 256", "0 takes the number of cores");
        }
        for network in &self.overload.exempt {
            if Network::parse(network).is_none() {
                find.add(
                    "overload.exempt",
                    format!("{network:?} is neither an address nor a network"),
                    "give one such as 192.0.2.1 or 192.0.2.0/24",
                );
            }
        }
        for origin in &self.websocket.origins {
            if origin != "*" && origin != "null" && !origin.contains("://") {
                find.add(
                    "websocket.origins",
                    format!("{origin:?} is not an origin"),
                    "give scheme, host and port as browsers send them, such as https://app.example.com",
                );
            }
        }
        if crate::log::filter(&self.log.level).is_err() {
            find.add("log.level", format!("{:?} is not a log filter", self.log.level), "try info or debug");
        }
    }

    fn otlp(&self, find: &mut Finder<'_>) {
        if self.otlp.endpoint.is_some() && !cfg!(feature = "otlp") {
            find.add(
                "otlp.endpoint",
                "this server was built without OpenTelemetry",
                "build it with `--features otlp`, or remove the key",
            );
        }
        if self.otlp.percent > 100 {
            find.add("otlp.percent", "more than all", "give 0 to 100");
        }
        find.readable("otlp.authorities", self.otlp.authorities.as_ref());
    }

    fn trace(&self, find: &mut Finder<'_>) {
        let trace = &self.trace;
        for user in trace.users.iter().filter(|user| tributary_sip::Aor::parse(user).is_err()) {
            find.add("trace.users", format!("{user:?} is no address"), "write it as \"sip:name@domain\"");
        }
        if trace.users.len() > trace.max_users {
            find.add("trace.users", "more than trace.max_users", "raise that, or trace fewer");
        }
        if !trace.users.is_empty() && !trace.log && trace.homer.is_none() {
            find.add("trace.users", "the trace goes nowhere", "set trace.homer or trace.log");
        }
        if trace.homer_key.as_ref().is_some_and(|key| key.len() > crate::trace::KEY_BYTES) {
            find.add("trace.homer_key", "longer than 255 bytes", "give the key that Homer has");
        }
    }

    fn files(&self, find: &mut Finder<'_>) {
        find.readable("tls.certificate", self.tls.certificate.as_ref());
        find.readable("tls.key", self.tls.key.as_ref());
        for (index, more) in self.certificates.iter().enumerate() {
            for (name, file) in [("certificate", &more.certificate), ("key", &more.key)] {
                let key = format!("certificates[{index}].{name}");
                if file.is_none() {
                    find.add(
                        &key,
                        format!("a certificate without its {name} file"),
                        "give both certificate and key",
                    );
                }
                find.readable(&key, file.as_ref());
            }
        }
        if !self.certificates.is_empty() && !self.has_tls() {
            find.add(
                "certificates",
                "further certificates without a first one",
                "give the one for clients that ask for no name as tls.certificate and tls.key",
            );
        }
        find.readable("api.token_file", self.api.token_file.as_ref());
        for (name, file) in &self.api.tokens {
            if !super::policies::is_name(name) || crate::api::RESERVED_NAMES.contains(&name.as_str()) {
                find.add(
                    "api.tokens",
                    format!("{name:?} cannot be the name of who holds a token"),
                    "use letters, digits, `-`, `_`, `.` and `@`, at most 64, and neither `operator` nor `server`",
                );
            }
            find.readable("api.tokens", Some(file));
        }
        if self.api.token.is_some() && self.api.token_file.is_some() {
            find.add("api.token", "the token is given twice", "keep api.token or api.token_file");
        }
        if self.api.token.as_ref().is_some_and(|token| token.len() < 8) && find.lines.has("api.token") {
            find.add(
                "api.token",
                "shorter than 8 characters",
                "take a long random one, such as from `openssl rand -hex 24`",
            );
        }
        for (key, folder) in
            [("server.site", &self.server.site), ("policies.shipped", &self.policies.shipped)]
        {
            if let Some(folder) = folder
                && !Path::new(folder).is_dir()
            {
                find.add(key, format!("{folder} is not a folder"), "check the path");
            }
        }
    }
}

/// Whether `text` may stand behind the @ of an address.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}
