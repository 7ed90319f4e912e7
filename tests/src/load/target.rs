//! The servers that can be put under load, each started on a free loopback port.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::figures::Processes;
use super::kamailio;
use super::wire::Connection;

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Tributary,
    Kamailio,
}

impl Target {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Target::Tributary => "tributary",
            Target::Kamailio => "kamailio",
        }
    }

    /// Starts it; ready when a handshake has gone well.
    pub(crate) async fn start(self) -> Result<Running, String> {
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        let address = free_address()?;
        let command = match self {
            Target::Tributary => tributary(address, &folder)?,
            Target::Kamailio => kamailio::command(address, &folder)?,
        };
        self.run(command, address, None, folder).await
    }

    /// Starts it as a registrar and proxy, with SIP over UDP as well: with passwords for the users u0, u1,
    /// ..., or open to everybody where there are to be none.
    pub(crate) async fn start_with(self, users: usize) -> Result<Running, String> {
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        let address = free_address()?;
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let udp = udp.map_err(|e| format!("no free port: {e}"))?;
        if self == Target::Kamailio {
            let command = kamailio::proxy(address, udp, users > 0, &folder)?;
            return self.run(command, address, Some(udp), folder).await;
        }
        let mut config = format!(
            "server.listen = \"{address}\"\nserver.domains = [\"example.com\"]\nsip.udp = [\"{udp}\"]\n\
             store.data = {:?}\n",
            folder.path().join("data")
        );
        // One user is the client of a whole run here, and no site's; and Kamailio keeps what was answered
        // over UDP (for 5 s, not the 32 that RFC 3261 says) without a bound.
        config.push_str("overload.requests_per_user = 0\n");
        for limit in ["transactions_per_shard", "requests_per_shard", "proxied_per_shard"] {
            config.push_str(&format!("limits.{limit} = 2000000\n"));
        }
        for limit in ["transaction_bytes_per_shard", "proxied_bytes_per_shard"] {
            config.push_str(&format!("limits.{limit} = 4000000000\n"));
        }
        if users == 0 {
            config.push_str("server.open = true\n");
        }
        for user in 0..users {
            config.push_str(&format!("[[users]]\nname = \"u{user}\"\npassword = \"secret\"\n"));
        }
        let file = config_of(&folder);
        std::fs::write(&file, config).map_err(|e| format!("{}: {e}", file.display()))?;
        self.run(configured(&folder)?, address, Some(udp), folder).await
    }

    /// Starts Tributary by a configuration to which `listen`, a data folder and the tests' token are added.
    pub(crate) async fn configured(config: &str) -> Result<Running, String> {
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        let address = free_address()?;
        let whole =
            format!("server.listen = \"{address}\"\nstore.data = {:?}\n{config}", folder.path().join("data"));
        let file = config_of(&folder);
        std::fs::write(&file, whole).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut command = configured(&folder)?;
        command.env("TRIBUTARY_API_TOKEN", crate::server::TOKEN);
        Target::Tributary.run(command, address, None, folder).await
    }

    async fn run(
        self,
        mut command: Command,
        address: SocketAddr,
        udp: Option<SocketAddr>,
        folder: TempDir,
    ) -> Result<Running, String> {
        let log = folder.path().join("log");
        let file = std::fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let second = file.try_clone().map_err(|e| format!("{}: {e}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file).stderr(second);
        let child = command.spawn().map_err(|e| format!("{} does not start: {e}", self.name()))?;
        let mut running = Running { child, address, udp: udp.unwrap_or(address), folder };
        running.wait_until_ready(self).await?;
        Ok(running)
    }
}

fn config_of(folder: &TempDir) -> PathBuf {
    folder.path().join("tributary.toml")
}

fn configured(folder: &TempDir) -> Result<Command, String> {
    let mut command = Command::new(crate::server::program()?);
    command.args(["serve", "--config"]).arg(config_of(folder));
    Ok(command)
}

fn tributary(address: SocketAddr, folder: &TempDir) -> Result<Command, String> {
    let mut command = Command::new(crate::server::program()?);
    command
        .args(["serve", "--listen", &address.to_string(), "--domain", "example.com", "--open", "--data"])
        .arg(folder.path().join("data"));
    Ok(command)
}

fn free_address() -> Result<SocketAddr, String> {
    let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    TcpListener::bind(any).and_then(|l| l.local_addr()).map_err(|e| format!("no free port: {e}"))
}

/// A server that runs; it ends with this value.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Where it hears datagrams, if it was started with passwords.
    pub(crate) udp: SocketAddr,
    folder: TempDir,
}

impl Running {
    pub(crate) fn processes(&self) -> Processes {
        Processes(self.child.id())
    }

    /// A connection number `n`: sources are spread over 127.0.0.0/8, a thousand a source, since ports
    /// of one address are few and servers limit the connections of one address.
    pub(crate) async fn connect(&self, n: usize) -> Result<Connection, String> {
        let source = SocketAddr::from((Ipv4Addr::new(127, 0, 1, (n / 250 % 250 + 1) as u8), 0));
        Connection::open(self.address, source).await.map_err(|e| format!("connection {n}: {e}"))
    }

    /// Kills a server that was started with passwords, and starts it again on what it has stored.
    pub(crate) async fn kill_and_start_again(&mut self) -> Result<(), String> {
        let fault = |e: std::io::Error| format!("tributary does not start again: {e}");
        self.child.kill().and_then(|()| self.child.wait()).map_err(fault)?;
        let mut command = configured(&self.folder)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = command.spawn().map_err(fault)?;
        self.wait_until_ready(Target::Tributary).await
    }

    async fn wait_until_ready(&mut self, target: Target) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let error = match self.connect(0).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(15).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                return Err(format!(
                    "{} is not ready ({error}); its log:\n{}",
                    target.name(),
                    tail.join("\n")
                ));
            }
            // Nothing tells that another program listens but trying again.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Kamailio's main process takes its children along on a TERM; a KILL would leave them.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }
}
