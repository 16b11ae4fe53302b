//! Bodies of requests as they arrive, within bounds.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One permit stands for so many bytes.
const UNIT: usize = 1 << 10;

/// Room for the bodies of all requests that are being read at the same time.
#[derive(Debug, Clone)]
pub struct Room {
    units: Arc<Semaphore>,
    /// One body may have so many bytes, as decoded from what compressed it.
    pub limit: usize,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The setting is part of the text.
    #[error("the body has more than {limit} bytes, which `max_request_body_size` allows")]
    TooLarge { limit: usize },
    #[error("too many bodies are being read at the moment")]
    NoRoom,
    /// The client went, or what it sent is not compressed as it says.
    #[error("the body cannot be read: {0}")]
    Broken(String),
}

impl BodyError {
    /// As it is counted: one of [`crate::figures::DECLINED`].
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::NoRoom => "no_room",
            Self::Broken(_) => "broken",
        }
    }
}

/// A whole body, and the room that it takes until it is dropped.
#[derive(Debug)]
pub struct Held {
    pub bytes: Bytes,
    _room: Vec<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for four of the largest bodies.
    pub fn new(limit: usize) -> Self {
        let units = (4 * limit.max(1 << 20) / UNIT).min(Semaphore::MAX_PERMITS);
        Self {
            units: Arc::new(Semaphore::new(units)),
            limit,
        }
    }

    /// Reads a body to its end.
    ///
    /// # Errors
    /// When it is too large or breaks off, or there is no room for it at the moment.
    pub async fn read(&self, body: Body) -> Result<Held, BodyError> {
        let mut stream = body.into_data_stream();
        let mut whole = BytesMut::new();
        let mut room = Vec::new();
        let mut units = 0;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| BodyError::Broken(error.to_string()))?;
            if whole.len() + chunk.len() > self.limit {
                return Err(BodyError::TooLarge { limit: self.limit });
            }
            let needed = (whole.len() + chunk.len()).div_ceil(UNIT);
            if needed > units {
                let more = u32::try_from(needed - units).map_err(|_| BodyError::NoRoom)?;
                let permit = Arc::clone(&self.units).try_acquire_many_owned(more);
                room.push(permit.map_err(|_| BodyError::NoRoom)?);
                units = needed;
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Held {
            bytes: whole.freeze(),
            _room: room,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_together_have_bounds_too() {
        let room = Room::new(1 << 20);
        let body = || Body::from(vec![0; 1 << 20]);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(room.read(body()).await.expect("room for four"));
        }
        let none = room.read(Body::from("a")).await;
        assert!(matches!(none, Err(BodyError::NoRoom)));
        held.pop();
        assert_eq!(
            room.read(body()).await.expect("room again").bytes.len(),
            1 << 20
        );
        let large = room.read(Body::from(vec![0; (1 << 20) + 1])).await;
        assert!(matches!(large, Err(BodyError::TooLarge { limit }) if limit == 1 << 20));
    }
}
