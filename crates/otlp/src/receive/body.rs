//! Bodies of requests as they arrive, within bounds.

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// A body that has not come whole by then is given up: it keeps its room, and its connection. Clients wait 10 s.
const LONGEST: Duration = Duration::from_secs(60);

/// Of a body that is too large so many times the bound are still read, and forgotten: a client that is cut off while it sends
/// does not see the answer, takes it for a failure that may pass, and comes again.
const FORGOTTEN: usize = 4;

/// And no less than so much of it, in bytes.
const LEAST_FORGOTTEN: usize = 16 << 20;

/// For so many bytes memory is taken at once when a client tells how many there will be.
const MOST_TOLD: usize = 1 << 20;

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
    #[error("the body has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body has not come whole in {} s", LONGEST.as_secs())]
    Late,
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
            Self::Late => "late",
            Self::NoRoom => "no_room",
            Self::Broken(_) => "broken",
        }
    }
}

/// A whole body, and the room that it takes until it is dropped.
#[derive(Debug)]
pub struct Held {
    pub bytes: Bytes,
    /// The room.
    pub place: Place,
}

/// Room for so much, until it is dropped.
#[derive(Debug, Default)]
pub struct Place {
    units: usize,
    permits: Vec<OwnedSemaphorePermit>,
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

    /// Reads a body to its end. It may have `more` bytes than the limit, for what stands before a message.
    ///
    /// # Errors
    /// When it is too large, too slow or breaks off, or there is no room for it at the moment.
    pub async fn read(&self, body: Body, more: usize) -> Result<Held, BodyError> {
        let end = Instant::now() + LONGEST;
        let mut body = body.into_data_stream();
        let read = timeout_at(end, self.whole(&mut body, more)).await;
        let read = read.unwrap_or(Err(BodyError::Late));
        if let Err(BodyError::TooLarge { .. }) = read {
            // What comes of it is of no matter.
            let _ = timeout_at(end, self.forget(&mut body)).await;
        }
        read
    }

    async fn whole(&self, body: &mut BodyDataStream, more: usize) -> Result<Held, BodyError> {
        let (told, _) = body.size_hint();
        let mut whole = BytesMut::with_capacity(told.min(MOST_TOLD));
        let mut place = Place::default();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| BodyError::Broken(error.to_string()))?;
            let needed = whole.len() + chunk.len();
            if needed > self.limit.saturating_add(more) {
                return Err(BodyError::TooLarge { limit: self.limit });
            }
            self.grow(&mut place, needed)?;
            whole.extend_from_slice(&chunk);
        }
        let bytes = whole.freeze();
        Ok(Held { bytes, place })
    }

    /// Makes room for so many bytes in all.
    ///
    /// # Errors
    /// When there is none at the moment.
    pub fn grow(&self, place: &mut Place, bytes: usize) -> Result<(), BodyError> {
        let needed = bytes.div_ceil(UNIT);
        if needed > place.units {
            let more = u32::try_from(needed - place.units).map_err(|_| BodyError::NoRoom)?;
            let permit = Arc::clone(&self.units).try_acquire_many_owned(more);
            place.permits.push(permit.map_err(|_| BodyError::NoRoom)?);
            place.units = needed;
        }
        Ok(())
    }

    async fn forget(&self, body: &mut BodyDataStream) {
        let most = self.limit.saturating_mul(FORGOTTEN);
        let mut left = most.max(LEAST_FORGOTTEN);
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len()) {
                Some(less) => left = less,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn bodies_together_have_bounds_too() {
        let room = Room::new(1 << 20);
        let body = || Body::from(vec![0; 1 << 20]);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(room.read(body(), 0).await.expect("room for four"));
        }
        let none = room.read(Body::from("a"), 0).await;
        assert!(matches!(none, Err(BodyError::NoRoom)));
        held.pop();
        assert_eq!(
            room.read(body(), 0).await.expect("room again").bytes.len(),
            1 << 20
        );
        held.clear();
        let large = || Body::from(vec![0; (1 << 20) + 1]);
        let refused = room.read(large(), 0).await;
        assert!(matches!(refused, Err(BodyError::TooLarge { limit }) if limit == 1 << 20));
        assert!(room.read(large(), 1).await.is_ok());
    }

    /// A body of what comes through a channel.
    fn slow() -> (mpsc::Sender<Bytes>, Body) {
        let (sender, receiver) = mpsc::channel(1);
        let stream = futures::stream::unfold(receiver, |mut receiver| async move {
            let chunk = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(chunk), receiver))
        });
        (sender, Body::from_stream(stream))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up_with_its_room() {
        let room = Room::new(1 << 20);
        let (sender, body) = slow();
        let reading = room.clone();
        let reading = tokio::spawn(async move { reading.read(body, 0).await });
        // Each piece is in time, and the whole is not.
        for _ in 0..5 {
            sender
                .send(Bytes::from(vec![0; 100_000]))
                .await
                .expect("it is read");
            tokio::time::advance(LONGEST / 6).await;
        }
        assert!(!reading.is_finished());
        assert!(room.units.available_permits() < 4 << 10);
        tokio::time::advance(LONGEST).await;
        let late = reading.await.expect("no panic");
        assert!(matches!(late, Err(BodyError::Late)));
        assert_eq!(room.units.available_permits(), 4 << 10);
        assert!(sender.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_large_is_read_on_within_bounds() {
        let room = Room::new(1 << 20);
        let (sender, body) = slow();
        let reading = tokio::spawn(async move { room.read(body, 0).await });
        let mut sent = 0;
        while sender.send(Bytes::from(vec![0; 1 << 20])).await.is_ok() {
            sent += 1;
        }
        assert!((17..=20).contains(&sent), "{sent} MiB");
        let large = reading.await.expect("no panic");
        assert!(matches!(large, Err(BodyError::TooLarge { .. })));
        // One that never ends is not waited for.
        let room = Room::new(1 << 20);
        let (sender, body) = slow();
        let reading = tokio::spawn(async move { room.read(body, 0).await });
        sender
            .send(Bytes::from(vec![0; 2 << 20]))
            .await
            .expect("it is read");
        let large = reading.await.expect("no panic");
        assert!(matches!(large, Err(BodyError::TooLarge { .. })));
    }
}
