//! Every key of the configuration, with its default and its documentation.

use super::Mask;
use super::definition::{section, words};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

words! {
    /// When a change counts as stored.
    Durability ("\"process\" or \"fsync\"") {
        /// Written to the system before the answer leaves: survives `kill -9` of the server.
        "process" => Process,
        /// Also flushed to the disk: survives a power cut, at some milliseconds a commit.
        "fsync" => Fsync,
    }
}

words! {
    /// What becomes of a policy without a good signature.
    Signatures ("\"off\", \"warn\" or \"require\"") {
        /// Nothing.
        "off" => Off,
        /// It is taken, and whoever brings it is told.
        "warn" => Warn,
        /// It is refused.
        "require" => Require,
    }
}

words! {
    /// How log lines are written.
    LogFormat ("\"auto\", \"text\" or \"json\"") {
        /// Text on a terminal, JSON otherwise.
        "auto" => Auto,
        /// One readable line an event.
        "text" => Text,
        /// One JSON object an event.
        "json" => Json,
    }
}

words! {
    /// The built-in merge to use where no policy decides.
    Merge ("\"compose\", \"union\", \"newest\" or \"most-available\"") {
        /// One tuple a service, one person, field by field.
        "compose" => Compose,
        /// Everything, nothing resolved.
        "union" => Union,
        /// The newest device alone.
        "newest" => Newest,
        /// The most available device alone.
        "most-available" => MostAvailable,
    }
}

words! {
    /// What becomes of devices that do not take part in forking.
    ForkPolicy ("\"all\", \"exclude\" or \"all-or-best\"") {
        /// They get what all get.
        "all" => All,
        /// They are left out where there is another device.
        "exclude" => Exclude,
        /// Where there is one, the best device of all gets the request alone.
        "all-or-best" => AllOrBest,
    }
}

words! {
    /// How devices say whether they take part in forking.
    ForkSupport ("\"feature-tag\" or \"ms-forking\"") {
        /// All do but those with the feature tag.
        "feature-tag" => FeatureTag,
        /// Those do that register with `Supported: ms-forking`.
        "ms-forking" => MsForking,
    }
}

words! {
    /// What becomes of a request for a device that nobody knows.
    UnknownEpid ("\"refuse\" or \"ignore\"") {
        /// 480.
        "refuse" => Refuse,
        /// It goes where it would go without.
        "ignore" => Ignore,
    }
}

section! {
    /// What the server is and where it listens. HTTP, the API and SIP over WebSocket (RFC 7118) share one port.
    "server" Server {
        /// Address and port. Any address but loopback needs `[tls]` and users.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
        /// The SIP domains that this server is responsible for, and the digest realm's first choice.
        domains: Vec<String> = vec!["example.com".to_owned()],
        /// The digest realm; the first domain when not set. One realm serves 401 and 407: JsSIP keeps only one.
        realm: Option<String> = None,
        /// The digest algorithms that are offered, in this order: `SHA-512-256`, `SHA-256` and `MD5`. RFC 8760 wants the stronger first, and JsSIP and SIP.js know only MD5 and look only at the last; some phones look at the first challenge alone and need `["MD5", "SHA-256"]`, and some give up at any they do not know (baresip 1.0) and need `["MD5"]`.
        digest: Vec<String> = vec!["SHA-256".to_owned(), "MD5".to_owned()],
        /// Offer `qop="auth-int"` beside `auth`, so that the answer covers the body. JsSIP then uses it; a proxy in between that changes bodies breaks it.
        digest_integrity: bool = false,
        /// Seconds for which a connection that has shown a password is not asked for it again. Datagrams, and what comes through another proxy, are asked each time.
        auth_lifetime_seconds: u32 = 28_800,
        /// The time zone of users where neither they nor their domain have one of their own, an IANA name such as `Europe/Amsterdam`: what policies take for the time of day.
        timezone: String = "UTC".to_owned(),
        /// The time zones of domains that have one of their own: `{ "example.org" = "Asia/Tokyo" }`. A user's own goes before the domain's.
        timezones: BTreeMap<String, String> = BTreeMap::new(),
        /// Whose the domains are, where they are not the operator's own: `{ "example.org" = "acme" }`. Policies are told the tenant of a user, and can be assigned to all users of one. Lower-case letters, digits, `-`, `_` and `.`.
        tenants: BTreeMap<String, String> = BTreeMap::new(),
        /// No authentication: anybody may be any user. Loopback only; for trials.
        open: bool = false,
        /// State is split into this many shards, each with a task of its own; 0 takes the number of cores.
        shards: usize = 0,
        /// Serve the page from this folder instead of the one built in.
        site: Option<String> = None,
    }
}

section! {
    /// TLS for HTTPS and `wss:`, by certificate and key in PEM files. Without both, the port speaks plain HTTP and `ws:`.
    "tls" Tls {
        /// The certificate chain, PEM, the server's own certificate first.
        certificate: Option<String> = None,
        /// The private key, PEM (PKCS#8, PKCS#1 or SEC1).
        key: Option<String> = None,
        /// The authorities, PEM, that the certificates of other servers must come from: of those that we connect to, and of `[[peers]]` that connect to us. Not set: those of the system for the former, and nobody who connects is asked for a certificate.
        authorities: Option<String> = None,
        /// The files are looked at every so many seconds and loaded when one has changed; 0 is never. SIGHUP loads them at any time. Open connections stay, and so does the certificate in use when the new one is not good.
        reload_seconds: u32 = 5,
    }
}

section! {
    /// A further certificate, for clients that ask for one of its names (SNI), exact or by wildcard. The first that has the name is taken, `[tls]` before these; clients that ask for another name or for none get the one of `[tls]`.
    #[repeated = true]
    "certificates" Certificate {
        /// The certificate chain, PEM, the server's own certificate first.
        certificate: Option<String> = None,
        /// The private key, PEM (PKCS#8, PKCS#1 or SEC1).
        key: Option<String> = None,
    }
}

section! {
    /// Where state is kept: registrations, publications, subscriptions, policies, users.
    "store" Store {
        /// The folder that holds `tributary.redb`; it is made when missing. Not set: state lives in memory and ends with the process.
        data: Option<String> = None,
        /// `process`: a change is in the system's hands before it is answered, and survives `kill -9`. `fsync`: on the disk, and survives a power cut.
        durability: Durability = Durability::Process,
        /// Users that the API may store; the next is refused with 507.
        max_users: usize = 100_000,
        /// Contacts that the API may store of one user (`PUT /api/v1/presentities/ADDRESS/contacts/WHO`); the next is refused with 507.
        max_contacts_per_user: usize = 500,
        /// Contacts that the API may store of all users together; the next is refused with 507.
        max_contacts: usize = 200_000,
    }
}

section! {
    /// A user who may log in. Give the password, a file with it, or both digests of `user:realm:password`. More users can be stored by `PUT /api/v1/users/ADDRESS`; where both name the same address, the file wins.
    #[repeated = true]
    "users" User {
        /// The user part of the address, `alice` of `sip:alice@example.com`.
        name: String = String::new(),
        /// The user's domain; the first of `server.domains` when not set.
        domain: Option<String> = None,
        /// The password in clear. It is turned into digests at start and not kept.
        password: Option<String> = None,
        /// A file whose first line is the password.
        password_file: Option<String> = None,
        /// MD5 of `user:realm:password` in hex: what JsSIP and SIP.js can answer.
        ha1_md5: Option<String> = None,
        /// SHA-256 of `user:realm:password` in hex (RFC 8760).
        ha1_sha256: Option<String> = None,
        /// SHA-512/256 of `user:realm:password` in hex, where `server.digest` offers it. May be missing.
        ha1_sha512_256: Option<String> = None,
        /// The user's time zone, an IANA name; that of the domain, or else `server.timezone`, when not set.
        timezone: Option<String> = None,
        /// The groups that the user is in, such as `["sales"]`: policies are told them, and who shares one within a tenant is a colleague.
        groups: Vec<String> = Vec::new(),
    }
}

section! {
    /// The HTTP API under /api/v1, and what may be read without its token.
    "api" Api {
        /// The bearer token. Not set: a random one is written to `api-token` in the data folder at first start; without a data folder the API is closed.
        token: Option<String> = None,
        /// A file whose first line is the bearer token.
        token_file: Option<String> = None,
        /// Further tokens, by the name of who holds each: `{ ann = "/etc/tributary/ann.token" }`, files whose first line is the token. The audit log names who has changed a policy; who comes with the token above is `operator` there.
        tokens: BTreeMap<String, String> = BTreeMap::new(),
        /// Serve /metrics to loopback clients without the token.
        open_metrics: bool = true,
        /// The largest body the API takes, in bytes. A policy file of the operator's is at most 2097152, one of a tenant's 262144.
        max_body_bytes: usize = 4_194_304,
    }
}

section! {
    /// SIP over WebSocket: limits and liveness. RFC 7118, RFC 6455.
    "websocket" WebSocket {
        /// Origins whose pages may connect, such as `https://app.example.com`; `*` is any. Empty: the same host as the listener, and any loopback origin when listening on loopback. Programs that send no Origin are let in.
        origins: Vec<String> = Vec::new(),
        /// The largest SIP message (and the largest frame), in bytes. A larger one closes the connection with 1009.
        max_message_bytes: usize = 65_536,
        /// Connections (HTTP and WebSocket) one address may hold; 0 is no limit. The next is refused with 503.
        connections_per_address: u32 = 1_000,
        /// All connections together; 0 is no limit.
        max_connections: u32 = 100_000,
        /// A silent connection is pinged after this many seconds.
        ping_seconds: u32 = 25,
        /// A connection that answers no ping for this many seconds is closed.
        pong_seconds: u32 = 15,
        /// Bytes that may wait for a slow reader; one byte more and its connection is closed. A single message always may.
        output_queue_bytes: usize = 4_194_304,
        /// Messages that may wait for a slow reader; one more and its connection is closed.
        output_queue_messages: usize = 4_096,
    }
}

section! {
    /// SIP over UDP, TCP and TLS, for phones and gateways. RFC 3261 18, RFC 5626.
    "sip" Sip {
        /// Addresses and ports for SIP over UDP, such as `192.0.2.1:5060`; at most 127. On a machine with several addresses name them one by one: answers leave from where the question came. What is said there can be read, and senders forged, on the way.
        udp: Vec<SocketAddr> = Vec::new(),
        /// Addresses and ports for SIP over TCP, such as `192.0.2.1:5060`. What is said there can be read on the way: TLS is better wherever the phones know it.
        tcp: Vec<SocketAddr> = Vec::new(),
        /// Addresses and ports for SIP over TLS, such as `0.0.0.0:5061`, with the certificate of `[tls]`.
        tls: Vec<SocketAddr> = Vec::new(),
        /// What phones and other servers are to call this server, where that is not the address that it listens on, by transport: `{ udp = "203.0.113.5:5060", tls = "sip.example.com" }`; without a port, the one that it listens on. It stands in Via, Record-Route and Contact. Listening on 0.0.0.0 without it, the server calls itself by its first domain, and DNS has to lead there.
        advertise: BTreeMap<String, String> = BTreeMap::new(),
        /// Further names and addresses of this server that may stand in a Route, such as those of an address translation before it. Its domains, the addresses that it listens on and what it advertises need not be named.
        aliases: Vec<String> = Vec::new(),
        /// The largest body, in bytes; more is answered 413, and a connection is closed.
        max_body_bytes: usize = 65_536,
        /// T1 (RFC 3261 17), in milliseconds: how long a datagram may take there and back. It is repeated after that, and given up after 64 times as long.
        t1_ms: u32 = 500,
        /// T2, in milliseconds: the longest pause between two repetitions of a datagram.
        t2_ms: u32 = 4_000,
        /// Seconds from the first byte of a message to its last, for a TLS handshake, and for a peer to read what was sent; then the connection is closed.
        message_seconds: u32 = 10,
        /// A connection that is silent for this many seconds is closed. More than a registration, so that a phone without keep-alives is not cut off between two.
        idle_seconds: u32 = 3_900,
    }
}

section! {
    /// Where requests may go beyond our own users, and how. As it stands, nowhere: whoever may send through this server could else have it talk to any host and port.
    "egress" Egress {
        /// Hosts that requests may go to: `partner.example`, `192.0.2.7:5070;transport=tcp`, all below a domain by `*.partner.example`, all by `*`. A host that is named itself may be in a private network; one that matches a pattern may not.
        allow: Vec<String> = Vec::new(),
        /// Where all goes that is not for a user or a peer, such as `sip:proxy.example.com;transport=tls`; what is allowed stays the same.
        proxy: Option<String> = None,
        /// The name servers to ask, such as `192.0.2.53:53`; those of the system when none is named. RFC 3263.
        nameservers: Vec<String> = Vec::new(),
        /// Seconds for a connection to another server to open, TLS included; then the next of its addresses is tried.
        connect_seconds: u32 = 4,
        /// A connection that was opened to another server is closed when nothing was said over it for this many seconds.
        idle_seconds: u32 = 60,
        /// The same while a session lasts that began over it; the next request within it opens another.
        session_idle_seconds: u32 = 1_800,
        /// Connections to other servers that may be open at a time; beyond, the request is answered as if the server could not be reached.
        max_connections: usize = 1_024,
    }
}

section! {
    /// Another server that is trusted: it need not register or show a password, it may speak for its domains, and who it says the caller is, is believed (RFC 3325). It may send calls and messages, and asks for no registration, subscription or publication.
    #[repeated = true]
    "peers" Peer {
        /// Its name in the log.
        name: String = String::new(),
        /// The domains that it may speak for: From must be of one of them.
        domains: Vec<String> = Vec::new(),
        /// The names of its certificate, one of which must be in it word for word (RFC 5922); needs `tls.authorities`.
        certificates: Vec<String> = Vec::new(),
        /// Its addresses, with or without a port. Loopback only, for nothing shows there who is speaking.
        addresses: Vec<String> = Vec::new(),
        /// Where requests for its domains go, such as `sip:rooms.example.com:5061;transport=tls`. Not set: where their URI says.
        route: Option<String> = None,
    }
}

section! {
    /// Plain HTTP: how long a client may take.
    "http" Http {
        /// Seconds from the first byte (or from the end of the last request) to a whole request head; TLS and WebSocket handshakes included.
        handshake_seconds: u32 = 10,
        /// Seconds for which a client may take nothing of an answer that waits for it; then its connection is closed. A stop of the server waits for it one second.
        write_seconds: u32 = 30,
        /// The largest request head, in bytes.
        max_head_bytes: usize = 16_384,
    }
}

section! {
    /// Bearer tokens beside passwords (RFC 8898): JWTs of an authorization server. They are taken over TLS, and from this machine, where another program may do the encryption. Without `keys` there are none.
    "bearer" Bearer {
        /// The authorization server's public keys (a JWK Set, RFC 7517): a file, or the `https:` URL where it shows them. RSA, P-256, P-384 and Ed25519 are known.
        keys: Option<String> = None,
        /// A file with the certificate authorities to trust for that URL, PEM; those of the system when not set.
        authorities: Option<String> = None,
        /// The keys are read anew every so many seconds, and 10 s after the last time when a token names one that is not known.
        reload_seconds: u32 = 300,
        /// What a token must say in `iss`.
        issuer: Option<String> = None,
        /// What a token must say in `aud`, alone or among others.
        audience: Option<String> = None,
        /// The scopes that a token must have, all of them, with blanks between.
        scope: Option<String> = None,
        /// The claim that names the user: an address such as `alice@example.com`, or a name in the first of `server.domains`. It must be one of the users.
        claim: String = "sub".to_owned(),
        /// The authorization server that clients without a token are sent to (`authz_server`), an `https:` URL.
        authz_server: Option<String> = None,
    }
}

section! {
    /// Who guesses passwords is locked out. The owner is not: no lock reaches a connection that has shown the password, nor an address from which the owner has lately logged in. A locked account is answered 403 with Retry-After, whether the password is right or not. `tributary user locks` and `GET /api/v1/lockouts` show the locks, `tributary user unlock` and `DELETE` lift them.
    "lockout" Lockout {
        /// Wrong passwords for one account from one address that lock it for this address; 0 is never.
        failures_per_address: u32 = 10,
        /// Wrong passwords for one account from everywhere that lock it for all addresses at which it is not known; 0 is never.
        failures_per_account: u32 = 100,
        /// Seconds for which wrong passwords count, and for which a lock holds.
        seconds: u32 = 900,
        /// Seconds after a login for which no lock reaches that account at that address.
        known_seconds: u32 = 604_800,
        /// Accounts and addresses that are remembered, twice; beyond, those with the fewest failures are forgotten. Of IPv6 a network of 64 bits is one address.
        entries: u32 = 65_536,
    }
}

section! {
    /// How much anybody may ask for, and what happens when all together ask for too much. A rate of 0 is no limit.
    "overload" Overload {
        /// Milliseconds that a message may have waited for its turn. While they wait longer, new REGISTER, PUBLISH, SUBSCRIBE, INVITE and MESSAGE requests are answered 503 with a Retry-After of 5 to 15 s; dialogs and answers go on. 0 is any.
        lag_ms: u32 = 4_000,
        /// Requests a second of one user in one shard; more are answered 503 with Retry-After.
        requests_per_user: u32 = 100,
        /// Requests that one user may send at once.
        requests_per_user_burst: u32 = 3_000,
        /// Messages a second over one connection; a connection that sends more is read more slowly.
        messages_per_connection: u32 = 500,
        /// Messages that one connection may send at once.
        messages_per_connection_burst: u32 = 5_000,
        /// Messages a second from one address. Its connections are then read more slowly; of its datagrams beyond that one in ten is answered 503 with Retry-After, and the others are dropped unread.
        messages_per_address: u32 = 2_000,
        /// Messages that one address may send at once.
        messages_per_address_burst: u32 = 20_000,
        /// Connections a second that one address may open; more are refused.
        connections_per_address: u32 = 100,
        /// Connections that one address may open at once.
        connections_per_address_burst: u32 = 2_000,
        /// Addresses whose messages are counted at a time; who comes then shares what one address may do.
        addresses: u32 = 65_536,
        /// Addresses and networks that speak for many users, such as proxies and gateways: no rate holds for them but that of users. Loopback is where a proxy on this machine connects from.
        exempt: Vec<String> = vec!["127.0.0.0/8".to_owned(), "::1".to_owned()],
    }
}

section! {
    /// Presence: lifetimes, times of grace, and what counts as state.
    "presence" Presence {
        /// Whether there is presence here; without, PUBLISH and SUBSCRIBE to `presence` are answered 489. repro's `EnablePresenceServer`.
        enabled: bool = true,
        /// Seconds for which a device's publication outlives its connection when that dies without a word.
        grace_seconds: u32 = 10,
        /// Seconds for which a subscription waits, silently, for its watcher to come back over another connection.
        watcher_grace_seconds: u32 = 60,
        /// Seconds for which everything that a restart of the server cut off waits for its client.
        restart_grace_seconds: u32 = 120,
        /// The shortest registration, in seconds; less is answered 423 with Min-Expires (RFC 3261 10.3).
        min_registration_seconds: u32 = 10,
        /// The longest registration, in seconds; a longer one is shortened.
        max_registration_seconds: u32 = 3_600,
        /// The registration granted where the request names no time.
        default_registration_seconds: u32 = 600,
        /// The shortest publication, in seconds; less is answered 423 (RFC 3903 6).
        min_publication_seconds: u32 = 10,
        /// The longest publication, in seconds.
        max_publication_seconds: u32 = 3_600,
        /// The publication granted where the request names no time.
        default_publication_seconds: u32 = 3_600,
        /// The shortest subscription, in seconds. Keep it low: neither JsSIP nor SIP.js retries a 423.
        min_subscription_seconds: u32 = 10,
        /// The longest subscription, in seconds.
        max_subscription_seconds: u32 = 3_600,
        /// The subscription granted where the request names no time.
        default_subscription_seconds: u32 = 3_600,
        /// Seconds for which a digest nonce may be used, once with each count (`nc`); then, and for a count that was there before, the client is told `stale=true` and gets a fresh one.
        nonce_seconds: u32 = 300,
        /// Only who is registered may publish and subscribe; others are answered 403. Over connections and for users of the same shard that is exact; over datagrams who was registered may subscribe for a while longer.
        require_registration: bool = false,
        /// The built-in merge.
        merge: Merge = Merge::Compose,
        /// With nothing published, a registered user is open at the registered contacts, each device with an instance at its GRUU. repro's `PresenceUsesRegistrationState`; but what devices publish counts here whether they are registered or not.
        use_registrations: bool = true,
        /// With nothing published and nobody registered, watchers are told `closed`; otherwise a SUBSCRIBE is answered 480, and who watches already gets an empty document. repro's `PresenceNotifyClosedStateForNonPublishedUsers`.
        notify_closed: bool = true,
        /// Addresses of programs that watch users, such as `sip:hall-display@example.com`: policies see them as `service`.
        services: Vec<String> = Vec::new(),
    }
}

section! {
    /// The registrar: what it keeps of a REGISTER and what it tells. How long a registration lives is in `[presence]`.
    "registrar" Registrar {
        /// Headers of a REGISTER that are kept with its bindings, for the HTTP API and for `proxy.fork_policy`: names, or beginnings such as `X-*`. What carries a request or proves who sent it (`Via`, `From`, `Contact`, `Authorization`, ...) never is.
        headers: Vec<String> = tributary_engine::Registrar::default().kept_headers,
        /// Take the Path (RFC 3327) that a proxy added for a client that does not say `Supported: path`. Otherwise the answer is 420, so that the client learns that somebody put himself in its way.
        path_without_support: bool = false,
        /// The Service-Route (RFC 3608) in each 200 to a REGISTER, such as `["<sip:out.example.com;lr>"]`: by which proxies clients are to send their requests.
        service_route: Vec<String> = Vec::new(),
        /// Addresses that may watch the registrations of every user (`Event: reg`, RFC 3680), such as `sip:pbx@example.com`. Users may always watch their own.
        watchers: Vec<String> = Vec::new(),
        /// The Flow-Timer (RFC 5626) that clients on connections are told: they send keep-alives at least this often, in seconds. 0 says none.
        flow_timer_seconds: u32 = tributary_engine::Registrar::default().flow_timer,
    }
}

section! {
    /// The forking proxy: which of a user's devices get a call or a message, and for how long they ring. An INVITE that goes to several devices carries the header `X-Forked` with their number, so that none of them answers by itself; what a caller wrote there is replaced.
    "proxy" Proxy {
        /// Devices that take no part in forking: `all`: they get what all get, which is RFC 3261's rule. `exclude`: they are left out where there is another device, and used where they are alone or asked for. `all-or-best`: where one is among a user's devices, the best device gets the request alone.
        fork_policy: ForkPolicy = ForkPolicy::All,
        /// How a device says whether it takes part: `feature-tag`: all do but those with `no_fork_tag` in their Contact. `ms-forking`: only those do that register with `Supported: ms-forking`, as clients of Microsoft's servers did; `registrar.headers` must keep `Supported` then.
        fork_support: ForkSupport = ForkSupport::FeatureTag,
        /// The feature tag (RFC 3840) of a Contact by which a device says that it takes no part in forking.
        no_fork_tag: String = "+tributary.nofork".to_owned(),
        /// A call for a device that is named by the `epid` of To and is not registered: `refuse` with 480, or `ignore` the name.
        unknown_epid: UnknownEpid = UnknownEpid::Refuse,
        /// Seconds that devices ring before a call goes to those that come after them, by q or because the caller asked for one after the other.
        ring_seconds: u32 = 20,
    }
}

section! {
    /// Uploaded merge policies (WebAssembly).
    "policies" Policies {
        /// Allow uploads and assignments by the API.
        enabled: bool = true,
        /// Policy files kept; the next upload is refused until one is deleted.
        max_files: usize = 100,
        /// What becomes of an upload, and of an assignment, where the policy has no good signature (detached, Ed25519, by `tributary policy sign`): `off`: nothing. `warn`: whoever brings it is told. `require`: it is refused. What ships with the server needs none. A tenant may have its own rule in `[[tenants]]`.
        signatures: Signatures = Signatures::Off,
        /// Whose signatures are trusted, for everybody here: files with Ed25519 public keys (PEM, as `openssl pkey -pubout` writes them) under the names by which status and audit log call them. While one key takes another's place, both stand here.
        keys: BTreeMap<String, String> = BTreeMap::new(),
        /// Lines of the audit log that are kept; the oldest go, and the others can still be verified.
        audit_lines: usize = 10_000,
        /// Allow that what policies are asked and answer about a presentity is captured for a while, for those who look after this server: `PUT /api/v1/captures/ADDRESS`, `tributary policy capture`. It is personal data, so nobody is captured before somebody asks for that one, which the audit log says; texts and positions are taken out, and all is kept in memory, a day at most.
        capture: bool = false,
        /// What nobody may ever be sent, such as a location, whatever users publish and whatever their policies do: of each document that watchers get (users who watch themselves too) `drop` takes out `geo`, `note`, `devices`, `person`, `contact`, `activities`, `mood`, `place`, `sphere`, `user_input`, as `drop` of `pp_view` does; `level` says how much of the rest is left: `full`, `busy_free` (open or closed, and busy or away) or `basic` (open or closed).
        mask: Mask = Mask::default(),
        /// What is taken away besides of the users of some domains: `[policies.masks."example.org"]`, each as `mask`. A domain cannot be shown more than `mask` leaves.
        masks: BTreeMap<String, Mask> = BTreeMap::new(),
        /// A folder with policies that ship with the server (`*.wasm` and `index.json`); they are listed and can be assigned without an upload.
        shipped: Option<String> = None,
    }
}

section! {
    /// What holds for the policies of one tenant of `server.tenants`, where that is not what `[policies]` says.
    #[repeated = true]
    "tenants" Tenant {
        /// The tenant.
        name: String = String::new(),
        /// `policies.signatures` for what the tenant uploads, and for what is assigned to the tenant, its domains and its users.
        signatures: Option<Signatures> = None,
        /// Whose signatures are trusted there beside `policies.keys`, as those are written.
        keys: BTreeMap<String, String> = BTreeMap::new(),
    }
}

section! {
    /// A trace of the SIP messages of chosen users, whole and with their bodies, but without credentials. A message is a user's whose address stands in From, To, Request-URI or P-Asserted-Identity. More users are traced for a while by `PUT /api/v1/traces/ADDRESS`.
    "trace" Trace {
        /// Addresses that are traced all the time, such as `sip:alice@example.com`; also those of other domains.
        users: Vec<String> = Vec::new(),
        /// Write the trace to the log (target `tributary::trace`, level `info`).
        log: bool = true,
        /// Send the trace to the Homer server at this address, by HEP3 over UDP, such as `192.0.2.60:9060`. What is said there can be read on the way.
        homer: Option<SocketAddr> = None,
        /// The number by which Homer knows this server.
        capture_id: u32 = 1,
        /// The key that Homer wants to see, up to 255 bytes.
        homer_key: Option<String> = None,
        /// Messages that are traced in a second, and at once; more are passed over and counted.
        messages_per_second: u32 = 1_000,
        /// Users who are traced at a time, those of `users` included; the API refuses the next with 507.
        max_users: usize = 100,
        /// The longest that the API traces a user, in seconds.
        max_seconds: u32 = 86_400,
    }
}

section! {
    /// Traces for OpenTelemetry, by OTLP over HTTP in JSON: each message is a span, with what it waited, was handled, and was stored and sent within. One Call-ID is one trace, also where it passes several servers. Only in a server that was built with the feature `otlp` (`cargo build --features otlp`).
    "otlp" Otlp {
        /// The collector, such as `http://127.0.0.1:4318`: `https:`, unless it is on this machine. Not set: there are no traces.
        endpoint: Option<String> = None,
        /// A file with the certificate authorities to trust for that URL, PEM; those of the system when not set.
        authorities: Option<String> = None,
        /// Of a hundred calls so many are traced; the same ones on every server.
        percent: u32 = 100,
    }
}

section! {
    /// Logging. Nothing secret is logged: no Authorization, no password, no token, and no body but by `[trace]`. A request that is refused is a line with `peer` (address and port), `transport`, `from` and, as `detail`, the reason. For fail2ban on the JSON: `failregex = "detail":"(?:password|no_such_user|domain)".*"peer":"\[?<ADDR>\]?:\d+"`.
    "log" Log {
        /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,tributary=debug`.
        level: String = "info".to_owned(),
        /// `auto` is text on a terminal and JSON otherwise.
        format: LogFormat = LogFormat::Auto,
    }
}
