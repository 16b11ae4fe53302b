//! A connection, however it came about.

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What bytes go through in both directions.
trait Duplex: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Duplex for T {}

/// A connection to a server, or to a proxy that speaks HTTP with us.
pub struct Stream {
    io: Box<dyn Duplex>,
    is_proxy: bool,
}

impl Stream {
    /// Each end of it sees nobody but the other.
    pub fn to_server(io: impl Read + Write + Send + Unpin + 'static) -> Self {
        Self {
            io: Box::new(io),
            is_proxy: false,
        }
    }

    /// The other end wants whole URLs in requests.
    pub fn to_proxy(io: impl Read + Write + Send + Unpin + 'static) -> Self {
        Self {
            io: Box::new(io),
            is_proxy: true,
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_proxy)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, buffers)
    }
}
