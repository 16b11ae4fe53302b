//! One request and its answer, from the permit to the checked bytes.

use crate::answer::{self, Refusal};
use crate::clock::{Reading, ServerClock};
use crate::connection::{UNTRUSTED, cause};
use crate::endpoint::Endpoint;
use crate::error::{Kind, MAX_BODY};
use crate::html;
use crate::link::{Next, next_page};
use crate::request::Seen;
use crate::retry::LONGEST_REFUSAL;
use crate::route::Route;
use crate::throttle::{Permit, RateHeaders};
use crate::traffic::{Finished, Traffic};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Response, StatusCode};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tap_sentry_json::Body;
use tokio::time::Instant;
use url::Url;

/// How hyper begins what it says of an answer that is none, and of one that comes before the request. The latter is also
/// how some servers end a connection that they have kept for long.
const NO_HTTP: &str = "invalid HTTP ";
const UNASKED: &str = "received unexpected message";

/// A download may take a second longer for so many bytes.
const SLOW: u64 = 64 << 10;
/// But no longer than that. Seconds.
const LONGEST_DOWNLOAD: u64 = 3600;

/// What one request's task owns.
pub struct Exchange {
    pub http: reqwest::Client,
    pub route: Arc<Route>,
    /// Something has answered as Sentry does.
    pub met: Arc<AtomicBool>,
    pub endpoint: &'static Endpoint,
    pub url: Url,
    /// Its slug, if the request is of one.
    pub organization: Option<String>,
    /// Counted from 1, for the log.
    pub page: usize,
    /// How deep the check of the answer notes where things end.
    pub depth: usize,
    pub traffic: Arc<Traffic>,
    pub clock: Arc<ServerClock>,
    pub timeout: Duration,
    pub permit: Permit,
}

/// An answer with status 200 that is no page for people.
#[derive(Debug)]
pub struct Answer {
    /// When it was asked for.
    pub sent: Instant,
    pub body: Body,
    pub next: Option<Next>,
    pub hits: Option<u64>,
    /// What it tells of the server's clock.
    pub clock: Option<Reading>,
}

/// An answer before it is judged.
struct Raw {
    sent: Instant,
    status: StatusCode,
    headers: HeaderMap,
    content_length: Option<u64>,
    rate: RateHeaders,
    body: Body,
}

impl Exchange {
    /// The answer, if its status is 200 and it is no page for people.
    pub async fn run(mut self) -> Result<Answer, Kind> {
        let raw = self.raw().await?;
        if raw.status != StatusCode::OK {
            return Err(self.refused(&raw));
        }
        let mut links = raw.headers.get_all("link").iter();
        let next = links.find_map(|v| next_page(v.to_str().ok()?));
        let hits = raw.headers.get("x-hits");
        let hits = hits.and_then(|v| v.to_str().ok()?.parse().ok());
        match html::page(raw.body.bytes()) {
            Some(html) => Err(Kind::Page(html)),
            None => Ok(Answer {
                sent: raw.sent,
                next,
                hits,
                clock: Reading::of(&raw.headers),
                body: raw.body,
            }),
        }
    }

    /// Whatever is answered.
    pub async fn see(mut self) -> Result<Seen, Kind> {
        let mut raw = self.raw().await?;
        let refusal = (raw.status != StatusCode::OK).then(|| self.refused(&raw));
        Ok(Seen {
            status: raw.status.as_u16(),
            content_length: raw.content_length,
            refusal,
            body: raw.body.take(),
        })
    }

    /// Writes the body of whatever is kept there, from its begin, up to so many bytes. Servers may keep it elsewhere and lead
    /// there once, where the token does not go. `announced` is how many bytes it has, where that is known: more of them may take
    /// longer, and another number is not it. Returns the number, or why they cannot be written.
    pub async fn download(
        mut self,
        most: u64,
        announced: Option<u64>,
        out: &mut File,
        stranger: &reqwest::Client,
    ) -> Result<io::Result<u64>, Kind> {
        let sent = Instant::now();
        let seconds = announced.unwrap_or(most) / SLOW;
        self.timeout += Duration::from_secs(seconds.min(LONGEST_DOWNLOAD));
        let request = self.http.get(self.url.clone()).timeout(self.timeout);
        let mut response = request.send().await.map_err(|e| self.transport(&e, sent))?;
        let mut rate = self.learned(&response);
        if let Some(elsewhere) = self.elsewhere(&response)? {
            self.log(response.status(), sent, 0, rate);
            let kept = stranger.get(elsewhere).timeout(self.timeout).send().await;
            response = kept.map_err(|e| self.transport(&e, sent))?;
            rate = RateHeaders::default();
            if response.status() != StatusCode::OK {
                let status = response.status().as_u16();
                return Err(Kind::Storage(status));
            }
        }
        let status = response.status();
        if status != StatusCode::OK {
            let raw = self.rest(response, sent, rate).await?;
            return Err(self.refused(&raw));
        }
        let mut bytes = 0;
        let rewound = out.set_len(0).and_then(|()| out.rewind());
        if let Err(error) = rewound {
            return Ok(Err(error));
        }
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|e| match self.transport(&e, sent) {
                Kind::Transport(text) => Kind::Cut(text),
                kind => kind,
            })?;
            let Some(chunk) = chunk else {
                break;
            };
            bytes += chunk.len() as u64;
            if bytes > announced.unwrap_or(most) {
                return Err(match announced {
                    Some(announced) => Kind::Cut(format!("more than {announced} bytes")),
                    None => Kind::BodyTooLarge,
                });
            }
            if let Err(error) = out.write_all(&chunk) {
                return Ok(Err(error));
            }
        }
        self.log(
            status,
            sent,
            usize::try_from(bytes).unwrap_or(usize::MAX),
            rate,
        );
        if let Some(announced) = announced.filter(|announced| *announced != bytes) {
            return Err(Kind::Cut(format!("{bytes} bytes of {announced}")));
        }
        Ok(Ok(bytes))
    }

    /// Where the server leads to. Never from HTTPS to HTTP.
    fn elsewhere(&self, response: &Response) -> Result<Option<Url>, Kind> {
        if !response.status().is_redirection() {
            return Ok(None);
        }
        let location = response.headers().get(LOCATION);
        let location =
            location.and_then(|location| response.url().join(location.to_str().ok()?).ok());
        let Some(location) = location else {
            return Err(Kind::Astray("redirected to no address".to_owned()));
        };
        let is_safe = match location.scheme() {
            "https" => true,
            "http" => self.url.scheme() == "http",
            _ => false,
        };
        if is_safe {
            Ok(Some(location))
        } else {
            let origin = location.origin().ascii_serialization();
            Err(Kind::Astray(format!("redirected from HTTPS to {origin}")))
        }
    }

    async fn raw(&mut self) -> Result<Raw, Kind> {
        let sent = Instant::now();
        let response = self.http.get(self.url.clone()).send().await;
        let response = response.map_err(|e| match self.transport(&e, sent) {
            Kind::Transport(text) => Kind::Dropped(text),
            kind => kind,
        })?;
        let rate = self.learned(&response);
        self.rest(response, sent, rate).await
    }

    /// The rate headers of an answer, which are noted.
    fn learned(&mut self, response: &Response) -> RateHeaders {
        let rate = rate_headers(response.headers());
        // A gateway's refusals bear no headers, on a limited server too: only a page without them tells of no limits.
        if !rate.absent() || response.status() == StatusCode::OK {
            self.permit.learn(rate);
        }
        rate
    }

    /// What follows the head of an answer.
    async fn rest(
        &self,
        mut response: Response,
        sent: Instant,
        rate: RateHeaders,
    ) -> Result<Raw, Kind> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let content_length = response.content_length();
        let body = match self.body(response, sent).await {
            Ok(body) => body,
            Err(kind) => {
                // What breaks off has been told by `transport`.
                if matches!(kind, Kind::BodyTooLarge) {
                    self.log(status, sent, 0, rate);
                }
                return Err(kind);
            }
        };
        self.log(status, sent, body.bytes().len(), rate);
        Ok(Raw {
            sent,
            status,
            headers,
            content_length,
            rate,
            body,
        })
    }

    /// What an answer with another status than 200 means.
    fn refused(&self, raw: &Raw) -> Kind {
        let Refusal { kind, own_words } =
            answer::refusal(raw.status, &raw.headers, raw.body.bytes(), raw.rate);
        if own_words {
            self.clock.heard(Reading::of(&raw.headers));
        }
        // A 429 of Sentry's may be plain text, and is known by its headers.
        if own_words || !raw.rate.absent() {
            self.met.store(true, Ordering::Relaxed);
        }
        if matches!(kind, Kind::Gateway { status: 407, .. })
            && let Some(proxy) = self
                .route
                .proxy
                .as_ref()
                .filter(|_| self.url.scheme() == "http")
        {
            return Kind::Unreachable(proxy.wants_login());
        }
        // What is asked meanwhile would be refused too.
        if matches!(
            kind,
            Kind::RateLimited { .. } | Kind::Status { status: 503, .. }
        ) {
            self.permit.refused(kind.told().unwrap_or_default());
        }
        kind
    }

    async fn body(&self, mut response: Response, started: Instant) -> Result<Body, Kind> {
        let expected = response
            .content_length()
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(0);
        let mut body = Body::expecting(expected.min(MAX_BODY), self.depth);
        let cut = |e| match self.transport(&e, started) {
            Kind::Transport(text) => Kind::Cut(text),
            kind => kind,
        };
        while let Some(chunk) = response.chunk().await.map_err(cut)? {
            if body.bytes().len() + chunk.len() > MAX_BODY {
                return Err(Kind::BodyTooLarge);
            }
            body.push(&chunk);
        }
        Ok(body)
    }

    fn transport(&self, error: &reqwest::Error, started: Instant) -> Kind {
        self.count(started, None, 0, RateHeaders::default());
        let text = cause(error);
        log::debug!(target: self.endpoint.name, "GET {} failed after {:.3} s: {text}", self.url, started.elapsed().as_secs_f64());
        let no_http =
            text.contains(NO_HTTP) || text.contains(UNASKED) && !self.met.load(Ordering::Relaxed);
        if text.contains(UNTRUSTED) {
            Kind::Certificate(format!("{}: {text}", self.route.server))
        } else if error.is_connect() || no_http {
            Kind::Unreachable(self.route.unreachable(&text))
        } else if error.is_timeout() {
            Kind::Timeout(self.timeout)
        } else if error.is_redirect() {
            Kind::Astray(text)
        } else {
            Kind::Transport(text)
        }
    }

    fn count(&self, started: Instant, status: Option<u16>, bytes: usize, rate: RateHeaders) {
        self.traffic.finished(&Finished {
            endpoint: self.endpoint,
            organization: self.organization.as_deref(),
            elapsed: started.elapsed(),
            status,
            bytes,
            remaining: rate.remaining,
        });
    }

    fn log(&self, status: StatusCode, started: Instant, bytes: usize, rate: RateHeaders) {
        self.count(started, Some(status.as_u16()), bytes, rate);
        if log::log_enabled!(target: self.endpoint.name, log::Level::Debug) {
            let number = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
            log::debug!(
                target: self.endpoint.name,
                "GET {} -> {} in {:.3} s, page {}, {bytes} bytes, rate limit {} remaining {} reset in {} concurrent {}",
                self.url,
                status.as_u16(),
                started.elapsed().as_secs_f64(),
                self.page,
                number(rate.limit),
                number(rate.remaining),
                rate.reset_in.map_or_else(|| "-".to_owned(), |d| format!("{:.1} s", d.as_secs_f64())),
                number(rate.concurrent_limit),
            );
        }
    }
}

/// Sentry's rate headers; a value may be the text `None`.
fn rate_headers(headers: &HeaderMap) -> RateHeaders {
    let number = |name| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok()?.trim().parse::<u32>().ok())
    };
    let reset = headers
        .get("x-sentry-rate-limit-reset")
        .and_then(|v| v.to_str().ok()?.trim().parse::<f64>().ok());
    RateHeaders {
        limit: number("x-sentry-rate-limit-limit"),
        remaining: number("x-sentry-rate-limit-remaining"),
        // Epoch seconds of the server. A reset told too late would be taken for that of a longer window.
        reset_in: reset.filter(|r| r.is_finite()).map(|reset| {
            let now = answer::servers_now(headers);
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of this era are exact in 53 bits"
            )]
            let now = now.timestamp_millis() as f64 / 1000.0;
            Duration::from_secs_f64((reset - now).clamp(0.0, LONGEST_REFUSAL.as_secs_f64()))
        }),
        concurrent_limit: number("x-sentry-rate-limit-concurrentlimit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeDelta, Utc};
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).expect("a value"),
                )
            })
            .collect()
    }

    #[test]
    fn the_reset_is_told_by_the_servers_clock_where_ours_differs() {
        let server = Utc::now() + TimeDelta::minutes(10);
        let reset = (
            "x-sentry-rate-limit-reset",
            (server.timestamp() + 3).to_string(),
        );
        let told = rate_headers(&headers(&[reset.clone(), ("date", server.to_rfc2822())])).reset_in;
        assert_eq!(told, Some(Duration::from_secs(3)));
        assert!(
            rate_headers(&headers(&[reset])).reset_in > Some(Duration::from_secs(500)),
            "without a date ours is all there is"
        );
    }

    #[test]
    fn a_clock_that_is_slow_by_little_makes_no_window_longer() {
        let server = Utc::now() + TimeDelta::milliseconds(1_800);
        let reset = (
            "x-sentry-rate-limit-reset",
            (server.timestamp() + 1).to_string(),
        );
        let told = rate_headers(&headers(&[reset, ("date", server.to_rfc2822())])).reset_in;
        assert_eq!(told, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_header_may_be_the_text_none() {
        let rate = rate_headers(&headers(&[
            ("x-sentry-rate-limit-limit", "40".to_owned()),
            ("x-sentry-rate-limit-concurrentlimit", "None".to_owned()),
        ]));
        assert_eq!(
            (rate.limit, rate.concurrent_limit, rate.absent()),
            (Some(40), None, false)
        );
    }
}
