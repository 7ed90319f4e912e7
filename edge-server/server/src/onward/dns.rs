//! What the DNS says, for [`locate`](tributary_sip::locate::locate).

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use std::net::{IpAddr, SocketAddr};
use tributary_sip::locate::{Lookup, Naptr, Srv};

/// The resolver of the system, or one that asks the servers of the configuration.
pub(super) struct Dns {
    /// None where the system has no configuration to go by: then only addresses lead anywhere.
    resolver: Option<TokioResolver>,
}

impl Dns {
    pub(super) fn new(nameservers: &[String]) -> Self {
        let addresses: Vec<SocketAddr> =
            nameservers.iter().filter_map(|server| server.parse().ok()).collect();
        let builder = if addresses.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            let servers = addresses.iter().map(name_server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
        };
        let resolver = builder.and_then(|builder| builder.build()).inspect_err(|error| {
            tracing::warn!(%error, "names of other servers cannot be looked up; egress.nameservers can say where");
        });
        Self { resolver: resolver.ok() }
    }

    /// The records of a name; that there are none is no failure.
    async fn records(&self, name: &str, kind: RecordType) -> Vec<RData> {
        let Some(resolver) = &self.resolver else { return Vec::new() };
        // With the dot at its end a name is whole, and no domain of this machine is tried behind it.
        let name = if name.ends_with('.') { name.to_owned() } else { format!("{name}.") };
        match resolver.lookup(name.as_str(), kind).await {
            Ok(found) => found.answers().iter().map(|record| record.data.clone()).collect(),
            Err(error) if error.is_no_records_found() => Vec::new(),
            Err(error) => {
                tracing::info!(%error, name, %kind, "a name could not be looked up");
                Vec::new()
            }
        }
    }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

impl Lookup for Dns {
    async fn naptr(&self, name: &str) -> Vec<Naptr> {
        let records = self.records(name, RecordType::NAPTR).await.into_iter().filter_map(|data| {
            let RData::NAPTR(record) = data else { return None };
            record.flags.eq_ignore_ascii_case(b"s").then(|| Naptr {
                order: record.order,
                preference: record.preference,
                service: String::from_utf8_lossy(&record.services).into_owned(),
                replacement: record.replacement.to_ascii(),
            })
        });
        records.collect()
    }

    async fn srv(&self, name: &str) -> Vec<Srv> {
        let records = self.records(name, RecordType::SRV).await.into_iter().filter_map(|data| {
            let RData::SRV(record) = data else { return None };
            Some(Srv {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                target: record.target.to_ascii(),
            })
        });
        records.collect()
    }

    async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        if name.eq_ignore_ascii_case("localhost") {
            return vec![IpAddr::from([127, 0, 0, 1])];
        }
        let (v6, v4) = tokio::join!(self.records(name, RecordType::AAAA), self.records(name, RecordType::A));
        let address = |data: RData| match data {
            RData::A(address) => Some(IpAddr::from(address.0)),
            RData::AAAA(address) => Some(IpAddr::from(address.0)),
            _ => None,
        };
        v6.into_iter().chain(v4).filter_map(address).collect()
    }

    fn draw(&self, below: u32) -> u32 {
        let mut bytes = [0; 4];
        // Without randomness the first of them has all the load, which is no harm to anybody else.
        let _ = getrandom::fill(&mut bytes);
        u32::from_be_bytes(bytes) % below.max(1)
    }
}
