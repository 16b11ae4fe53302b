//! Signals: to end, and to reload.

use std::io;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// In order; asked for again, at once.
    Stop,
    StopNow,
    Reload,
}

/// Signals that are heard from now on, and end the process no more by themselves.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Ask {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Ask::Stop,
            Some(()) = self.terminate.recv() => Ask::Stop,
            Some(()) = self.hang_up.recv() => Ask::Reload,
            else => std::future::pending().await,
        }
    }
}

/// Control-C, the only signal that every system has.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> Ask {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Ask::Stop,
            Err(_) => std::future::pending().await,
        }
    }
}
