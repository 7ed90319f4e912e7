//! The real binary, started by a test on a free port and ended with it.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// The API token of servers that tests start.
pub const TOKEN: &str = "token-of-the-tests";

/// How long a server may take until it says that it listens. A debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server's binary: `TEST_SERVER`, or the one that cargo built beside this program.
pub fn program() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("TEST_SERVER").map(PathBuf::from) {
        return Ok(named);
    }
    let here = std::env::current_exe().map_err(|e| format!("no path of this program: {e}"))?;
    let found = here.ancestors().skip(1).map(|folder| folder.join("tributary")).find(|path| path.is_file());
    found.ok_or_else(|| "the server is not built: run `cargo build -p tributary` first".into())
}

/// A server with a data folder of its own. It can be killed and started again on the same data.
pub struct Server {
    address: SocketAddr,
    data: TempDir,
    settings: Vec<(String, String)>,
    child: Option<Child>,
    log: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

impl Server {
    /// Starts one in open mode. `settings` are keys such as `PRESENCE_GRACE_SECONDS`.
    pub fn start(settings: &[(&str, &str)]) -> Result<Server, String> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|e| format!("no free port: {e}"))?;
        let settings = settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let data = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        let mut server = Server { address, data, settings, child: None, log: Default::default() };
        server.run()?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// What it has logged so far, all runs together.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().map(|lines| lines.clone()).unwrap_or_default()
    }

    /// Starts it (again) on its data; returns when it listens.
    pub fn run(&mut self) -> Result<(), String> {
        let mut command = Command::new(program()?);
        command.args(["serve", "--listen", &self.address.to_string(), "--domain", "example.com", "--open"]);
        command.arg("--data").arg(self.data.path()).env("TRIBUTARY_API_TOKEN", TOKEN);
        for (key, value) in &self.settings {
            command.env(format!("TRIBUTARY_{key}"), value);
        }
        let (reader, writer) = std::io::pipe().map_err(|e| format!("no pipe: {e}"))?;
        let second = writer.try_clone().map_err(|e| format!("no pipe: {e}"))?;
        command.stdin(Stdio::null()).stdout(writer).stderr(second);
        let child = command.spawn().map_err(|e| format!("the server does not start: {e}"))?;
        drop(command);
        self.child = Some(child);
        let (said, ready) = mpsc::channel();
        let (port, log) = (format!(":{}", self.address.port()), self.log.clone());
        // Ends with the server, whose end closes the pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let listens = line.contains(&port);
                if let Ok(mut log) = log.lock() {
                    log.push(line);
                }
                if listens {
                    let _ = said.send(());
                }
            }
        });
        ready.recv_timeout(PATIENCE).map_err(|_| {
            let log = self.log();
            format!("the server did not say that it listens; its log:\n{}", log.join("\n"))
        })
    }

    /// `kill -9`: it gets no chance to write anything.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and the wait for its orderly end.
    pub fn stop(&mut self) -> Result<(), String> {
        let mut child = self.child.take().ok_or("the server does not run")?;
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        let ended = told.and_then(|_| child.wait()).map_err(|e| format!("the server does not end: {e}"))?;
        if ended.success() { Ok(()) } else { Err(format!("the server ended with {ended}")) }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
