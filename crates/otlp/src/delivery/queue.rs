//! What waits for one project, a line for each kind.

use crate::delivery::payload::{KINDS, Kind, Payload};
use crate::spool::receipt;
use bytes::BytesMut;
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;
use tokio::time::Instant;

/// First in, first out, kind by kind.
#[derive(Debug, Default)]
pub struct Queue {
    lines: Mutex<[VecDeque<Payload>; KINDS.len()]>,
    changed: [Notify; KINDS.len()],
}

impl Queue {
    pub fn push(&self, payload: Payload) {
        let place = payload.kind.place();
        self.lines.lock()[place].push_back(payload);
        self.changed[place].notify_one();
    }

    /// Back to the front: what was taken out could not be sent.
    pub fn push_front(&self, payload: Payload) {
        let place = payload.kind.place();
        self.lines.lock()[place].push_front(payload);
        self.changed[place].notify_one();
    }

    /// The next to be sent, as soon as there is one. What may go together is put together. Nothing is lost when the future is dropped.
    pub async fn next(&self, kind: Kind) -> Payload {
        loop {
            if let Some(payload) = self.pop(kind) {
                return payload;
            }
            self.changed[kind.place()].notified().await;
        }
    }

    /// The next to be sent, if there is one.
    pub fn pop(&self, kind: Kind) -> Option<Payload> {
        let mut lines = self.lines.lock();
        let line = &mut lines[kind.place()];
        let mut first = line.pop_front()?;
        if let Some(most) = kind.together().filter(|_| !first.alone) {
            let mut bytes = first.body.len();
            let mut spans = first.spans;
            let fit = line.iter().take_while(|payload| {
                bytes += payload.body.len();
                spans += payload.spans;
                !payload.alone && bytes <= most.bytes && spans <= most.items
            });
            let fit = fit.count();
            if fit > 0 {
                let mut body = BytesMut::from(&first.body[..]);
                for payload in line.drain(..fit) {
                    body.extend_from_slice(&payload.body);
                    first.spans += payload.spans;
                    // Nothing is given up before its time because of what it goes with.
                    first.since = first.since.max(payload.since);
                    first.slots.extend(payload.slots);
                    receipt::add(&mut first.receipts, &payload.receipts);
                }
                first.body = body.freeze();
            }
        }
        if !line.is_empty() {
            // Another one who waits may have the rest.
            self.changed[kind.place()].notify_one();
        }
        Some(first)
    }

    /// Everything of a kind.
    pub fn drain(&self, kind: Kind) -> Vec<Payload> {
        self.lines.lock()[kind.place()].drain(..).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.lock().iter().all(VecDeque::is_empty)
    }

    /// Since when the oldest waits.
    pub fn oldest(&self) -> Option<Instant> {
        let lines = self.lines.lock();
        lines
            .iter()
            .filter_map(|line| Some(line.front()?.since))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::payload::TOGETHER;
    use bytes::Bytes;

    fn spans(bytes: usize, spans: u64) -> Payload {
        Payload {
            kind: Kind::Traces,
            event_id: String::new(),
            body: Bytes::from(vec![1; bytes]),
            spans,
            since: Instant::now(),
            alone: false,
            sampled: None,
            slots: Vec::new(),
            receipts: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_young_is_not_made_old_by_what_it_goes_with() {
        let queue = Queue::default();
        queue.push(spans(1, 1));
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        let young = Instant::now();
        queue.push(spans(1, 1));
        let both = queue.pop(Kind::Traces).expect("a payload");
        assert_eq!((both.spans, both.since), (2, young));
    }

    #[tokio::test(start_paused = true)]
    async fn spans_are_put_together_up_to_the_bounds() {
        let queue = Queue::default();
        for _ in 0..3 {
            queue.push(spans(100, 4000));
        }
        queue.push(spans(TOGETHER.bytes, 1));
        queue.push(spans(1, 1));
        let mut sizes = Vec::new();
        while let Some(payload) = queue.pop(Kind::Traces) {
            sizes.push((payload.body.len(), payload.spans));
        }
        assert_eq!(
            sizes,
            [(200, 8000), (100, 4000), (TOGETHER.bytes, 1), (1, 1)]
        );
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_too_large_together_stays_apart() {
        let queue = Queue::default();
        queue.push(spans(3, 1));
        for bytes in [2, 1] {
            queue.push_front(Payload {
                alone: true,
                ..spans(bytes, 1)
            });
        }
        let sizes = std::iter::from_fn(|| queue.pop(Kind::Traces)).map(|one| one.body.len());
        assert_eq!(sizes.collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_what_comes() {
        let queue = std::sync::Arc::new(Queue::default());
        let waiting = [(); 2].map(|()| {
            let queue = std::sync::Arc::clone(&queue);
            tokio::spawn(async move { queue.next(Kind::Error).await.event_id })
        });
        tokio::task::yield_now().await;
        for id in ["a", "b"] {
            let mut payload = spans(1, 0);
            payload.kind = Kind::Error;
            payload.event_id = id.to_owned();
            queue.push(payload);
        }
        let mut got = Vec::new();
        for task in waiting {
            got.push(task.await.expect("a payload"));
        }
        got.sort();
        assert_eq!(got, ["a", "b"]);
    }
}
