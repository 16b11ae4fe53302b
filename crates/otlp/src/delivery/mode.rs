//! How a project takes spans: as OTLP, or as transactions.

use crate::delivery::intake::Intake;
use crate::delivery::sender::post;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use std::time::Duration;
use tap_sentry_api::connection::chain;

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// OTLP where the server is known to take it.
    #[default]
    Auto,
    Otlp,
    Transactions,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Otlp,
    Transactions,
}

impl Mode {
    /// As the setting has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Transactions => "transactions",
        }
    }

    /// Spans that started earlier are not taken: the retention, where nothing else is told, and what the aggregator of
    /// transactions has as its window (Relay 26.9).
    pub fn oldest(self) -> Duration {
        const DAY: u64 = 24 * 60 * 60;
        match self {
            Self::Otlp => Duration::from_secs(90 * DAY),
            Self::Transactions => Duration::from_secs(5 * DAY),
        }
    }
}

impl Mode {
    /// The same as an instant, in nanoseconds since 1970.
    pub fn oldest_start(self, now: DateTime<Utc>) -> u64 {
        let oldest = now.checked_sub_signed(TimeDelta::from_std(self.oldest()).unwrap_or_default());
        let nanoseconds = oldest.and_then(|oldest| oldest.timestamp_nanos_opt());
        nanoseconds
            .and_then(|at| u64::try_from(at).ok())
            .unwrap_or_default()
    }
}

/// What a project answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Mode(Mode, String),
    /// 401 or 403.
    Refused(String),
    /// To be asked again.
    Nothing(String),
}

/// Between the two questions: the first with a key that Relay has not looked up yet is answered 200 whatever it is (26.9).
const BETWEEN: Duration = Duration::from_secs(1);

/// Asks the OTLP intake twice with nothing in it, which is a valid request without spans.
pub async fn ask(client: &Client, intake: &Intake) -> Answer {
    if let Some(answer) = once(client, intake).await.err() {
        return answer;
    }
    tokio::time::sleep(BETWEEN).await;
    match once(client, intake).await {
        Err(answer) => answer,
        Ok(true) => Answer::Mode(Mode::Otlp, "it answers as Relay 26.7 and later do".to_owned()),
        Ok(false) => Answer::Mode(
            Mode::Transactions,
            "it answers, but not as Relay 26.7 and later do, so that spans may be dropped behind the answer; `mode: otlp` insists".to_owned(),
        ),
    }
}

/// Whether a 2xx was the answer of a Relay that is known to keep spans; else what the answer means.
async fn once(client: &Client, intake: &Intake) -> Result<bool, Answer> {
    let sent = post(
        client,
        intake,
        &intake.traces,
        "application/x-protobuf",
        Bytes::new(),
    );
    let response = match sent.await {
        Ok(response) => response,
        Err(error) => return Err(Answer::Nothing(chain(&error.without_url()))),
    };
    let status = response.status();
    let told = format!("it answered {}", status.as_u16());
    if status.is_success() {
        let protobuf = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-protobuf"));
        let body = response.bytes().await;
        let empty = body.map_err(|error| Answer::Nothing(chain(&error.without_url())))?;
        return Ok(status == StatusCode::OK && protobuf && empty.is_empty());
    }
    Err(match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Answer::Mode(Mode::Transactions, format!("{told} to OTLP"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::Refused(told),
        _ => Answer::Nothing(told),
    })
}
