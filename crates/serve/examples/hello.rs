//! The smallest program that listens: `cargo run -p tap-sentry-serve --example hello -- --web.listen-address=:8080`.

use axum::Router;
use axum::routing::get;
use clap::{CommandFactory, Parser};
use std::process::ExitCode;
use tap_sentry_serve::flags::{LogArgs, WebArgs, arguments};
use tap_sentry_serve::listen::Address;
use tap_sentry_serve::reload::{Policy, Reload};
use tap_sentry_serve::server::{Ended, ServeError, Server, WebSource};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    web: WebArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse_from(arguments(&Cli::command(), std::env::args_os()));
    tap_sentry_serve::log::init(cli.log.level, cli.log.format);
    match serve(cli.web).await {
        Ok(Ended::InOrder) => ExitCode::SUCCESS,
        Ok(Ended::CutShort) => ExitCode::FAILURE,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(web: WebArgs) -> Result<Ended, ServeError> {
    let mut server = Server::new(web.listen_addresses);
    if server.listen.is_empty() {
        server.listen.push(Address::any(8080));
    }
    server.web_config = web.config_file.map(WebSource::File);
    let policy = Policy::Guarded {
        lifecycle: web.enable_lifecycle,
    };
    server.reload = Some(Reload::new(policy, async || Ok::<_, String>(())));
    let path = web.telemetry_path.unwrap_or_else(|| "/hello".to_owned());
    let routes = Router::new().route(&path, get(async || "hello\n"));
    server.bind(routes).await?.serve().await
}
