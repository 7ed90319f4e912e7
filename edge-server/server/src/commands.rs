//! What each subcommand does.

mod policy;
mod remote;
mod signals;
mod user;

pub(crate) use self::policy::{Noted, Span};
use self::signals::{Signals, Told};
use crate::cli::{CheckConfig, Cli, Command, Demo, Form, Merge, Serve, UserAction};
use crate::config::{Config, Draft, LogFormat, User};
use crate::run::{Running, Surroundings, start};
use merge_core::compose::{Composition, compose};
use merge_core::live::Snapshot;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a command comes to. An error is printed with what to do about it.
type Done = Result<ExitCode, Box<dyn Error>>;

/// Runs the command.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Serve(serve) => serve_command(serve),
        Command::Demo(demo) => demo_command(demo),
        Command::CheckConfig(check) => check_command(&check),
        Command::Merge(merge) => merge_command(&merge),
        Command::User(user) => user_command(user.action),
        Command::Policy(policy) => return policy::run(policy),
        Command::CompilePolicy => {
            return policy_sandbox::compile_child(policy_sandbox::CompileLimits::default());
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("tributary: {error}");
        ExitCode::FAILURE
    })
}

fn serve_command(serve: Serve) -> Done {
    let config = serve_config(serve, std::env::vars())?;
    crate::log::start(&config.log);
    runtime()?.block_on(async {
        let open = config.server.open;
        let data = config.store.data.clone();
        let tls = config.has_tls();
        let mut signals = Signals::listen()?;
        let mut running = start(config, surroundings(false)).await?;
        tracing::info!(address = %running.address, tls, "listening");
        let sip = &running.sip;
        for (transport, addresses) in [("UDP", &sip.udp), ("TCP", &sip.tcp), ("TLS", &sip.tls)] {
            for address in addresses {
                tracing::info!(%address, transport, "listening for SIP");
            }
        }
        if open {
            tracing::warn!("OPEN MODE: no authentication, anybody on this machine can be any user");
        }
        if data.is_none() {
            tracing::warn!("no data folder: all state ends with this process");
        }
        if let Some(file) = &running.token_file {
            tracing::info!(file = %file.display(), "the API's token is in this file");
        }
        until_told(&mut signals, &mut running).await?;
        finish(running).await
    })
}

/// The configuration of `serve`: the file, then the environment, then the flags.
fn serve_config(
    serve: Serve,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Box<dyn Error>> {
    let mut draft = match &serve.config {
        Some(file) => Draft::load(file, environment)?,
        None => Draft::without_file(environment)?,
    };
    let config = &mut draft.config;
    if let Some(listen) = serve.listen {
        config.server.listen = listen;
    }
    config.sip.udp.extend(serve.sip_udp);
    config.sip.tcp.extend(serve.sip_tcp);
    config.sip.tls.extend(serve.sip_tls);
    if !serve.domain.is_empty() {
        config.server.domains = serve.domain;
    }
    if !serve.digest.is_empty() {
        config.server.digest = serve.digest;
    }
    for (name, password) in serve.user {
        config.users.push(User { name, password: Some(password), ..User::default() });
    }
    let text = |path: PathBuf| path.display().to_string();
    if let Some(data) = serve.data {
        config.store.data = Some(text(data));
    }
    if let Some(site) = serve.site {
        config.server.site = Some(text(site));
    }
    if let (Some(certificate), Some(key)) = (serve.certificate, serve.key) {
        config.tls.certificate = Some(text(certificate));
        config.tls.key = Some(text(key));
    }
    config.server.open |= serve.open;
    Ok(draft.checked()?)
}

fn demo_command(demo: Demo) -> Done {
    if !demo.listen.ip().is_loopback() {
        return Err("the demonstration has no authentication and so listens on this machine only; \
                    give --listen 127.0.0.1:PORT, or use `tributary serve` with users and TLS"
            .into());
    }
    let mut config = Config::read_unchecked("", std::env::vars())?;
    // State lives for as long as this variable when no folder is given.
    let scratch = Scratch::new(demo.data.is_none())?;
    config.server.listen = demo.listen;
    config.server.domains = vec!["example.com".to_owned()];
    config.server.open = true;
    // Whoever alice is, she is not a person.
    config.policies.capture = true;
    config.users.clear();
    config.server.site = demo.site.map(|site| site.display().to_string()).or(config.server.site);
    let data = demo.data.as_deref().or(scratch.path());
    config.store.data = data.map(|data| data.display().to_string());
    if config.log.format == LogFormat::Auto {
        config.log.format = LogFormat::Text;
    }
    let config = config.checked()?;
    crate::log::start(&config.log);
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let mut running = start(config, surroundings(true)).await?;
        let mut out = std::io::stdout();
        writeln!(
            out,
            "\n  Tributary, a demonstration. OPEN MODE: there is NO AUTHENTICATION; whoever can reach this\n  \
             machine's loopback can be alice, bob or anybody else of example.com. Do not use it for real.\n"
        )?;
        if !running.has_page {
            writeln!(out, "  The page is not built in; build it with `cargo xtask site` or give --site FOLDER.\n")?;
        }
        let address = running.address;
        if let Some(token) = &running.token {
            writeln!(
                out,
                "  The API's token is {token}; with it, for example:\n  \
                 curl -H 'Authorization: Bearer {token}' http://{address}/api/v1/presentities\n"
            )?;
        }
        // Last: whoever starts this from a program may listen no longer than that.
        writeln!(out, "  In a browser, alice's devices, the policy, and what bob sees:\n  Open  http://{address}/\n")?;
        out.flush()?;
        until_told(&mut signals, &mut running).await?;
        finish(running).await
    })
}

/// A folder that is removed at the end.
struct Scratch(Option<PathBuf>);

impl Scratch {
    fn new(wanted: bool) -> std::io::Result<Self> {
        if !wanted {
            return Ok(Self(None));
        }
        let folder = std::env::temp_dir().join(format!("tributary-demo-{}", std::process::id()));
        // A name that somebody else has taken beforehand is an error.
        crate::private::make_new_folder(&folder)?;
        Ok(Self(Some(folder)))
    }

    fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // Left-overs in the system's folder for such do no harm.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn check_command(check: &CheckConfig) -> Done {
    if let Some(folder) = &check.document {
        std::fs::write(folder.join("configuration.md"), crate::config::documentation())?;
        std::fs::write(folder.join("metrics.md"), crate::metrics::documentation())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(file) = &check.file else { return Err("give the file to check".into()) };
    let config = Config::load(file, std::env::vars())?;
    // What only a try can tell: whether certificate and key fit, whether password files can be read.
    crate::transport::Certificates::open(&config)?;
    crate::users::check(&config)?;
    println!(
        "{}: good. Listens on {}{}, serves {}, {}, state {}.",
        file.display(),
        config.server.listen,
        if config.has_tls() { " with TLS" } else { "" },
        config.server.domains.join(", "),
        match config.users.len() {
            1 => "1 user".to_owned(),
            users => format!("{users} users"),
        },
        config.store.data.as_deref().map_or("in memory".to_owned(), |data| format!("in {data}")),
    );
    Ok(ExitCode::SUCCESS)
}

fn merge_command(merge: &Merge) -> Done {
    let mut bytes = Vec::new();
    if merge.file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(&merge.file).map_err(|error| format!("{}: {error}", merge.file.display()))?;
    }
    let snapshot =
        Snapshot::read_json(&bytes).map_err(|error| format!("{}: {error}", merge.file.display()))?;
    let how = match &merge.how {
        Some(name) => name.parse::<Composition>().map_err(|_| {
            format!("there is no built-in merge {name}: take compose, union, newest or most-available")
        })?,
        None => snapshot.composition,
    };
    let composed = compose(&snapshot.set, snapshot.now, how);
    let mut out = std::io::stdout().lock();
    match merge.form {
        Form::Pidf => out.write_all(&composed.write_pidf())?,
        Form::Json => out.write_all(composed.write_json().as_bytes())?,
        Form::Explanation => out.write_all(composed.explain().write_json().as_bytes())?,
    }
    out.write_all(b"\n")?;
    Ok(ExitCode::SUCCESS)
}

fn user_command(action: UserAction) -> Done {
    let lines = runtime()?.block_on(user::run(action))?;
    let mut out = std::io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn surroundings(demo: bool) -> Surroundings {
    // Without its own path the program compiles policies inside itself, behind the checked counts.
    Surroundings { compiler: std::env::current_exe().ok(), demo }
}

/// Waits until the server is told to stop or stops by itself. A hangup loads the certificates anew;
/// where there are none it means what it says, that the terminal is gone.
async fn until_told(signals: &mut Signals, running: &mut Running) -> std::io::Result<()> {
    loop {
        let told = tokio::select! {
            told = signals.next() => told?,
            () = running.stopped() => return Ok(()),
        };
        if told == Told::Stop || !running.reload_certificates() {
            return Ok(());
        }
    }
}

async fn finish(running: Running) -> Done {
    tracing::info!("stopping");
    let store_works = running.stop().await;
    tracing::info!("stopped");
    Ok(if store_works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
