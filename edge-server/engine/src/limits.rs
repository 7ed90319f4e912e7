//! Every bound of the engine in one table: its name, its default, what a peer is answered when it is
//! reached, and the metric that counts it. The configuration's documentation is made from [`TABLE`].

/// One bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name in the configuration file, and the `limit` label of the metric.
    pub name: &'static str,
    /// The value when the configuration names none.
    pub default: u32,
    /// What `default` counts.
    pub unit: &'static str,
    /// What happens to the request that would go beyond.
    pub answer: &'static str,
    /// What is bounded, in one sentence.
    pub about: &'static str,
}

/// The counter that counts refusals; its label `limit` is [`Limit::name`].
pub const METRIC: &str = "tributary_limit_reached_total";

macro_rules! limits {
    ($($(#[doc = $about:literal])+ $name:ident = $default:literal $unit:literal => $answer:literal;)+) => {
        /// The bounds in force.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $about])+ pub $name: u32,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// Sets a bound by its name; `false` if there is none of that name.
            pub fn set(&mut self, name: &str, value: u32) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)+
                    _ => return false,
                }
                true
            }

            /// The bound of that name.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<u32> {
                match name {
                    $(stringify!($name) => Some(self.$name),)+
                    _ => None,
                }
            }
        }

        /// All bounds with their defaults.
        pub const TABLE: &[Limit] = &[
            $(Limit {
                name: stringify!($name),
                default: $default,
                unit: $unit,
                answer: $answer,
                about: concat!($($about),+),
            },)+
        ];
    };
}

limits! {
    /// Contacts bound to one address of record.
    bindings_per_aor = 32 "bindings" => "403 to the REGISTER; nothing of it is applied";
    /// Bindings of one instance: the connections that a device keeps at a time (reg-id, RFC 5626).
    bindings_per_instance = 4 "bindings" => "403 to the REGISTER; nothing of it is applied";
    /// Live publications of one presentity.
    publications_per_presentity = 32 "publications" => "403 to the PUBLISH; the others live on";
    /// Live publications that came over one connection.
    publications_per_flow = 64 "publications" => "403 to the PUBLISH";
    /// Views of one presentity: groups of watchers that a policy's `pp_view` tells apart.
    views_per_presentity = 64 "views" => "the watchers of one more are shown open or closed, and nothing else";
    /// Length of a published document.
    body_bytes = 65536 "bytes" => "413";
    /// Live subscriptions to one presentity.
    subscriptions_per_presentity = 100000 "subscriptions" => "403 to the SUBSCRIBE";
    /// Live subscriptions of one watcher in one shard.
    subscriptions_per_watcher = 2000 "subscriptions" => "403 to the SUBSCRIBE";
    /// Live subscriptions that came over one connection in one shard.
    subscriptions_per_flow = 2000 "subscriptions" => "403 to the SUBSCRIBE";
    /// Returning subscriptions that one shard gives their state to over one connection within a tenth of a second.
    resumed_at_once = 50 "subscriptions" => "the others follow, as many in each further tenth of a second";
    /// Watching devices whose newest connection one shard remembers.
    devices_per_shard = 1000000 "devices" => "none; a subscription that loses an older connection waits for the watcher's next request";
    /// Sum of the lengths of one presentity's published documents.
    publication_bytes_per_presentity = 262144 "bytes" => "413 to the PUBLISH; what is published lives on";
    /// Watched presentities that one shard merges anew within a tenth of a second after a change of policy.
    reevaluated_at_once = 200 "presentities" => "the others follow, as many in each further tenth of a second";
    /// Presentities that one shard keeps state of.
    presentities_per_shard = 1000000 "presentities" => "503 with Retry-After to the request that would add one";
    /// Requests that one shard answers at a time, with those whose answer it keeps for repetitions of them.
    transactions_per_shard = 65536 "transactions" => "what is kept for repetitions over connections is forgotten early; then 503 with Retry-After";
    /// Requests of its own that one shard waits for the answer to: NOTIFYs in datagrams, and what it forwards.
    requests_per_shard = 65536 "transactions" => "the NOTIFY waits for a second; the device that was to get what is forwarded counts as answering 503";
    /// Sum of the lengths of the messages that one shard keeps to send again.
    transaction_bytes_per_shard = 33554432 "bytes" => "as for the two above";
    /// Devices of one user that one request is forwarded to.
    forks_per_request = 20 "devices" => "the least preferred do not get the request";
    /// Forwarded requests that one shard waits for the end of.
    proxied_per_shard = 16384 "requests" => "503 with Retry-After to the request that would add one";
    /// Sum of the lengths of the forwarded requests that one shard waits for the end of.
    proxied_bytes_per_shard = 33554432 "bytes" => "503 with Retry-After to the request that would go beyond";
    /// Users whose requests one shard counts at a time, for `overload.requests_per_user`.
    busy_users_per_shard = 100000 "users" => "who comes then shares what one user may do";
    /// Uses of digest nonces that one shard remembers before it forgets those before them.
    nonce_uses_per_shard = 65536 "uses" => "older nonces are answered `stale=true`, and the client asks once more";
    /// Length of what is kept of a dialog: URIs, tags, Call-ID and route set.
    dialog_bytes = 4096 "bytes" => "400 to the SUBSCRIBE";
    /// Length of the Path of one registration.
    path_bytes = 1024 "bytes" => "400 to the REGISTER";
    /// Length of the headers that are kept with one binding.
    header_bytes = 1024 "bytes" => "none; headers that do not fit are not kept";
    /// Length of one Contact with its parameters, and of an epid, that is stored.
    contact_bytes = 512 "bytes" => "400 to the REGISTER";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_can_be_read_and_set_by_the_name_in_the_table() {
        let mut limits = Limits::default();
        for limit in TABLE {
            assert_eq!(limits.get(limit.name), Some(limit.default));
            assert!(limits.set(limit.name, 7), "{}", limit.name);
            assert_eq!(limits.get(limit.name), Some(7));
            assert!(!limit.answer.is_empty() && !limit.about.trim().is_empty());
        }
        assert!(!limits.set("colour", 1));
        assert_eq!(limits.get("colour"), None);
    }
}
