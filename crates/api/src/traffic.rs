//! What was asked and answered, by endpoint: counted as it happens, told by those who ask.

use crate::endpoint::{Class, Endpoint};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The requests of one endpoint.
#[derive(Debug, Default, Clone)]
pub struct Requests {
    /// Those that have ended, well or not.
    pub ended: u64,
    /// Bytes of answers, uncompressed.
    pub bytes: u64,
    /// Further tries.
    pub retries: u64,
    /// Time spent waiting for rate limits, of all together.
    pub waited: Duration,
    /// Those that wait for a rate limit now.
    pub waiting: u64,
    /// Time between sending a request and the end of its answer, of all together.
    busy: Duration,
    /// When the first and the latest request began and ended.
    span: Option<(Instant, Instant)>,
}

impl Requests {
    /// From the begin of the first request to the end of the latest.
    pub fn duration(&self) -> Option<Duration> {
        self.span.map(|(began, ended)| ended - began)
    }
}

/// One request that has ended.
#[derive(Debug)]
pub struct Finished<'a> {
    pub endpoint: &'static Endpoint,
    /// The slug of the organization that was asked about, if it was one.
    pub organization: Option<&'a str>,
    pub elapsed: Duration,
    /// `None`: without an answer.
    pub status: Option<u16>,
    /// Of the answer, uncompressed.
    pub bytes: usize,
    /// Requests that the class of the endpoint has left in its window, where the answer tells it.
    pub remaining: Option<u32>,
}

/// What was answered to the requests about one organization.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Requests that have ended, by the status of the answer; `None`: without one.
    pub statuses: BTreeMap<Option<u16>, u64>,
    /// What the latest answers left of the classes that are limited. Requests.
    pub remaining: BTreeMap<Class, u32>,
}

/// The requests of all endpoints.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: Mutex<BTreeMap<&'static str, Requests>>,
    /// By organization; of none: the empty name.
    answers: Mutex<BTreeMap<String, Answers>>,
    /// Is told of each request that has ended.
    observer: Option<fn(&Finished<'_>)>,
}

impl Traffic {
    /// `observer` is told of each request that has ended.
    pub fn observed(observer: fn(&Finished<'_>)) -> Self {
        Self {
            observer: Some(observer),
            ..Self::default()
        }
    }

    /// By the endpoints' names.
    pub fn requests(&self) -> BTreeMap<&'static str, Requests> {
        self.lock().clone()
    }

    /// What was answered, by organization; what is about none has the empty name.
    pub fn answers(&self) -> BTreeMap<String, Answers> {
        self.answers.lock().clone()
    }

    /// How long a request takes on average so far.
    pub fn latency(&self) -> Duration {
        let all = self.lock();
        let (ended, busy) = all
            .values()
            .fold((0, Duration::ZERO), |(ended, busy), one| {
                (ended + one.ended, busy + one.busy)
            });
        busy.checked_div(u32::try_from(ended).unwrap_or(u32::MAX))
            .unwrap_or_default()
    }

    /// A request has ended.
    pub fn finished(&self, request: &Finished<'_>) {
        let now = Instant::now();
        self.with(request.endpoint, |requests| {
            requests.ended += 1;
            requests.bytes += request.bytes as u64;
            requests.busy += request.elapsed;
            let began = requests.span.map_or_else(
                || now.checked_sub(request.elapsed).unwrap_or(now),
                |(began, _)| began,
            );
            requests.span = Some((began, now));
        });
        let mut answers = self.answers.lock();
        let name = request.organization.unwrap_or_default();
        // Almost always there already, so no name is made.
        if !answers.contains_key(name) {
            answers.insert(name.to_owned(), Answers::default());
        }
        if let Some(answers) = answers.get_mut(name) {
            *answers.statuses.entry(request.status).or_default() += 1;
            if let Some(remaining) = request.remaining {
                answers.remaining.insert(request.endpoint.class, remaining);
            }
        }
        drop(answers);
        if let Some(observer) = self.observer {
            observer(request);
        }
    }

    /// A request is tried once more.
    pub fn retried(&self, endpoint: &Endpoint) {
        self.with(endpoint, |requests| requests.retries += 1);
    }

    /// A request begins (`1`) or ends (`-1`) to wait for a rate limit.
    pub fn waiting(&self, endpoint: &Endpoint, change: i64) {
        self.with(endpoint, |requests| {
            requests.waiting = requests.waiting.saturating_add_signed(change);
        });
    }

    /// A request has waited for rate limits.
    pub fn waited(&self, endpoint: &Endpoint, wait: Duration) {
        if !wait.is_zero() {
            self.with(endpoint, |requests| requests.waited += wait);
        }
    }

    fn with(&self, endpoint: &Endpoint, change: impl FnOnce(&mut Requests)) {
        change(self.lock().entry(endpoint.name).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Requests>> {
        self.requests.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::LIST;

    static TEAMS: Endpoint = Endpoint {
        name: "teams",
        ..LIST
    };

    #[test]
    fn requests_are_counted_by_endpoint() {
        let traffic = Traffic::default();
        for (status, bytes) in [(Some(200), 10), (None, 0)] {
            let elapsed = Duration::from_secs(2);
            traffic.finished(&Finished {
                endpoint: &TEAMS,
                organization: Some("acme"),
                elapsed,
                status,
                bytes,
                remaining: status.map(|_| 39),
            });
        }
        let answers = traffic.answers().remove("acme").expect("counted");
        assert_eq!(
            answers.statuses,
            BTreeMap::from([(None, 1), (Some(200), 1)])
        );
        assert_eq!(answers.remaining, BTreeMap::from([(Class::Default, 39)]));
        traffic.retried(&TEAMS);
        traffic.waiting(&TEAMS, 1);
        traffic.waited(&TEAMS, Duration::from_secs(3));
        let requests = traffic.requests().remove("teams").expect("counted");
        assert_eq!(
            (requests.ended, requests.bytes, requests.retries),
            (2, 10, 1)
        );
        assert_eq!(
            (requests.waiting, requests.waited),
            (1, Duration::from_secs(3))
        );
        assert!(requests.duration() >= Some(Duration::from_secs(2)));
        assert_eq!(traffic.latency(), Duration::from_secs(2));
        traffic.waiting(&TEAMS, -1);
        assert_eq!(traffic.requests()["teams"].waiting, 0);
    }
}
