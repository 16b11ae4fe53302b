//! What the program does, each as a short story.

use crate::cli::{Cli, Mode};
use crate::dialect::Dialect;
use crate::error::Error;
use crate::export::Export;
use crate::generate;
use crate::memory::Memory;
use crate::pages::{self, Pages};
use crate::probe::probes::Probes;
use crate::probe::route;
use crate::push_settings::Receiver;
use crate::settings::load::{self, Sources};
use crate::settings::{Settings, Web};
use crate::shown::Shown;
use crate::snapshot::Snapshot;
use crate::web::{self, Metrics};
use arc_swap::ArcSwap;
use chrono::Utc;
use std::io::Write;
use std::sync::Arc;
use tap_sentry_serve::reload::{Policy, Reload};
use tap_sentry_serve::server::{self, Server, WebSource};
use tap_sentry_settings::problem::{Problem, SettingsError};
use tokio::runtime::Runtime;

/// Threads that answer scrapes and read Sentry's answers. There is little to do for them: a second one takes 6 MiB more,
/// since glibc keeps memory for each by itself.
const THREADS: usize = 1;

/// Does what the command line asks for.
///
/// # Errors
/// Whatever kept it from being done.
pub fn run(cli: &Cli) -> Result<(), Error> {
    if let Some(artifact) = cli.generate {
        return print(&generate::render(artifact).map_err(Error::Stdout)?);
    }
    let settings = settings(cli)?;
    let memory = Arc::default();
    let snapshot = snapshot(&settings, &memory)?;
    let probes = Probes::new(&settings.probing, None)?;
    if cli.config_check {
        return check(&settings);
    }
    match cli.mode {
        Mode::Serve => serve(cli, settings, snapshot, probes, memory),
        Mode::Export => {
            settings.decision.told("sentry-exporter starts to export");
            runtime()?.block_on(Export::new(&settings, snapshot)?.run())
        }
    }
}

fn runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|error| Error::Unexpected(format!("there is no runtime: {error}")))
}

/// Sets the log up as far as can be told before the settings have been checked.
pub fn log(cli: &Cli) {
    // What is wrong with them is told when they are read once more, with a log to tell it.
    let read = load(cli);
    let asked = read.ok().map(|sources| load::log_of(&sources.values));
    let log = asked.unwrap_or_default();
    tap_sentry_serve::log::init(log.level, log.format);
}

fn load(cli: &Cli) -> Result<Sources, SettingsError> {
    let file = cli.config_file.as_deref();
    load::load(file, cli.settings.clone(), &cli.old.names())
}

/// The settings in use from now on: no line shows their secrets.
fn settings(cli: &Cli) -> Result<Settings, SettingsError> {
    let settings = Settings::new(load(cli)?)?;
    settings
        .secrets()
        .iter()
        .for_each(tap_sentry_serve::log::hide);
    if !settings.unused.is_empty() {
        log::warn!(
            "these have no meaning any more and are passed over: {}",
            settings.unused.join(", ")
        );
    }
    if !settings.unknown.is_empty() {
        log::warn!(
            "these keys are known to nobody and passed over: {}",
            settings.unknown.join(", ")
        );
    }
    Ok(settings)
}

fn snapshot(settings: &Settings, memory: &Arc<Memory>) -> Result<Snapshot, Error> {
    let policy = settings.policy.clone();
    Ok(Snapshot::new(
        &settings.servers,
        policy,
        memory,
        Arc::new(Utc::now),
    )?)
}

/// The settings are sound already; so must be what they name.
fn check(settings: &Settings) -> Result<(), Error> {
    if let Some(file) = &settings.web.config_file {
        server::check(&WebSource::File(file.clone()))?;
    }
    if let Receiver::Pushgateway(pushgateway) = &settings.push.to {
        pushgateway.client()?;
    }
    print(b"the configuration is sound\n")
}

fn serve(
    cli: &Cli,
    settings: Settings,
    first: Snapshot,
    probes: Probes,
    memory: Arc<Memory>,
) -> Result<(), Error> {
    let Settings {
        web,
        shown,
        decision,
        ..
    } = settings;
    let runtime = runtime()?;
    let snapshot = Arc::new(ArcSwap::from_pointee(first));
    let probes = Arc::new(ArcSwap::from_pointee(probes));
    let shown = Arc::new(ArcSwap::from_pointee(shown));
    let policy = if decision.dialect.has_probes_only() {
        // As it was.
        Policy::Open
    } else {
        Policy::Guarded {
            lifecycle: web.enable_lifecycle,
        }
    };
    let renewed = Renewal {
        cli: cli.clone(),
        web: web.clone(),
        memory,
        snapshot: Arc::clone(&snapshot),
        shown: Arc::clone(&shown),
        probes: Arc::clone(&probes),
    };
    let renewed = Arc::new(renewed);
    let reload = Reload::new(policy, move || {
        let renewed = Arc::clone(&renewed);
        async move { renewed.renew() }
    });
    let pages = Pages {
        snapshot: Arc::clone(&snapshot),
        settings: shown,
        probes: Arc::clone(&probes),
        reload: reload.clone(),
        telemetry_path: web.telemetry_path.clone(),
    };
    let metrics = Metrics {
        snapshot,
        probes: Arc::clone(&probes),
        reload: reload.clone(),
    };
    let router = web::router(&web.paths(), &metrics)
        .merge(route::router(probes))
        .merge(pages::router(pages));
    let mut server = Server::new(web.listen_addresses);
    server.web_config = web.config_file.map(WebSource::File);
    server.reload = Some(reload);
    if let Some(user) = web.user {
        if user.is_known() {
            log::warn!(
                "the password is the default, which everybody knows: set `basic_auth_pass` (SENTRY_EXPORTER_BASIC_AUTH_PASS)"
            );
        }
        server.user = Some(user.0);
    }
    if web.dialect == Dialect::Italux {
        let health = server.health;
        server.health = health
            .alias_healthy("/healthz/live")
            .alias_ready("/healthz/ready");
    }
    decision.told("sentry-exporter starts");
    let ended: Result<_, Error> = runtime.block_on(async {
        let bound = server.bind(router).await?;
        Ok(bound.serve().await?)
    });
    // What is asked of Sentry at the moment is for nobody any more.
    runtime.shutdown_background();
    ended.map(|_| ())
}

/// How the configuration is read again.
struct Renewal {
    cli: Cli,
    /// Those in use, which only a restart changes.
    web: Web,
    memory: Arc<Memory>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    shown: Arc<ArcSwap<Vec<Shown>>>,
    probes: Arc<ArcSwap<Probes>>,
}

impl Renewal {
    fn renew(&self) -> Result<(), Error> {
        let settings = settings(&self.cli)?;
        if settings.web.dialect != self.web.dialect {
            let text = format!(
                "would be {} and not {} now, with other paths too: start the program again",
                settings.web.dialect, self.web.dialect
            );
            return Err(SettingsError::Problems(vec![Problem::new("dialect", text)]).into());
        }
        let mut snapshot = snapshot(&settings, &self.memory)?;
        let probes = Probes::new(&settings.probing, Some(&*self.probes.load()))?;
        if settings.web != self.web {
            log::warn!(
                "addresses, paths and the web configuration file's name change when the program is started again"
            );
        }
        let shown = Shown::with_those_of_start(settings.shown, &self.shown.load());
        self.shown.store(Arc::new(shown));
        snapshot.succeed(&self.snapshot.load());
        self.snapshot.store(Arc::new(snapshot));
        self.probes.store(Arc::new(probes));
        Ok(())
    }
}

/// Writes what was asked for to stdout.
fn print(text: &[u8]) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text)
        .and_then(|()| stdout.flush())
        .map_err(Error::Stdout)
}
