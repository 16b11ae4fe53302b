//! How many connections may be open, so that descriptors are left for what the program itself opens.

use crate::own::Process;
use crate::seldom::Seldom;
use axum_server::accept::Accept;
use futures::future::BoxFuture;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Whatever the limit of descriptors, no more are open: each takes memory.
const MOST: u64 = 8192;

/// What is taken for the limit where the system tells none.
const USUAL: u64 = 1024;

/// A bound on open connections. Clones share it, so that it may hold for several servers together.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    free: Arc<Semaphore>,
    refused: AtomicU64,
    told: Seldom,
}

impl Connections {
    /// So many.
    pub fn most(most: usize) -> Self {
        Self(Arc::new(Inner {
            most,
            free: Arc::new(Semaphore::new(most)),
            refused: AtomicU64::new(0),
            told: Seldom::default(),
        }))
    }

    /// A share of the descriptors that the process may have: with 2 the half of them, and in no case more than 8192.
    pub fn share(of: u64) -> Self {
        let limit = Process::read().max_fds;
        let share = limit.unwrap_or(USUAL) / of.max(1);
        let most = usize::try_from(share.clamp(1, MOST));
        Self::most(most.unwrap_or(1))
    }

    /// How many connections were closed at once because of it.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// A place, kept until it is dropped; none: the connection is one too many.
    fn admit(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.0.free).try_acquire_owned().ok();
        if place.is_none() {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            self.tell();
        }
        place
    }

    fn tell(&self) {
        if self.0.told.is_due() {
            let most = self.0.most;
            log::warn!(most; "as many connections are open as may be, and further ones are closed at once; this is said once a minute at most: raise the limit of open files if so many clients are meant");
        }
    }
}

/// Accepts as another acceptor does, within a bound.
#[derive(Debug, Clone)]
pub(crate) struct Bounded<A> {
    pub(crate) acceptor: A,
    pub(crate) connections: Option<Connections>,
}

impl<A, S> Accept<TcpStream, S> for Bounded<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
{
    type Stream = Counted<A::Stream>;
    type Service = A::Service;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = self.connections.as_ref().map(Connections::admit);
        if matches!(place, Some(None)) {
            return Box::pin(async { Err(io::Error::other("too many connections are open")) });
        }
        let accepted = self.acceptor.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepted.await?;
            let place = place.flatten();
            Ok((Counted { stream, place }, service))
        })
    }
}

/// A connection, and the place that it has until it ends.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    #[expect(dead_code, reason = "it is given back when it is dropped")]
    place: Option<OwnedSemaphorePermit>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_is_free_again() {
        let connections = Connections::most(1);
        let place = connections.admit();
        assert!(place.is_some() && connections.admit().is_none());
        assert_eq!(connections.refused(), 1);
        drop(place);
        assert!(connections.admit().is_some());
    }

    #[test]
    fn a_share_leaves_descriptors_for_others() {
        let limit = Process::read().max_fds;
        let most = Connections::share(2).0.most;
        assert!(most >= 1 && limit.is_none_or(|limit| most as u64 <= limit / 2));
    }
}
