//! How a project takes spans: as OTLP, or as transactions.

use crate::client::{Client, bare};
use crate::delivery::intake::Intake;
use crate::delivery::sender::{PROTOBUF, post};
use crate::signal::Signal;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::fmt;
use std::time::Duration;

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

/// What the OTLP intake answered to a request with nothing in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// As Relay 26.7 and later do, which are known to keep what they take.
    Known,
    /// Another success.
    Success,
    /// 404: the server has no such path.
    NotThere(String),
    /// 401 or 403.
    Refused(String),
    /// To be asked again.
    Nothing(String),
}

impl fmt::Display for Heard {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(match self {
            Self::Known | Self::Success => "it takes them",
            Self::NotThere(told) | Self::Refused(told) | Self::Nothing(told) => told,
        })
    }
}

/// How spans are taken, asked of the intake.
pub async fn ask(client: &Client, intake: &Intake) -> Answer {
    match hear(client, intake, Signal::Traces).await {
        Heard::Known => Answer::Mode(Mode::Otlp, "it answers as Relay 26.7 and later do".to_owned()),
        Heard::Success => Answer::Mode(
            Mode::Transactions,
            "it answers, but not as Relay 26.7 and later do, so that spans may be dropped behind the answer; `mode: otlp` insists".to_owned(),
        ),
        Heard::NotThere(told) => Answer::Mode(Mode::Transactions, told),
        Heard::Refused(why) => Answer::Refused(why),
        Heard::Nothing(why) => Answer::Nothing(why),
    }
}

/// Asks the OTLP intake of a signal twice with nothing in it, which is a valid request.
pub async fn hear(client: &Client, intake: &Intake, signal: Signal) -> Heard {
    let first = once(client, intake, signal).await;
    if !matches!(first, Heard::Known | Heard::Success) {
        return first;
    }
    tokio::time::sleep(BETWEEN).await;
    once(client, intake, signal).await
}

async fn once(client: &Client, intake: &Intake, signal: Signal) -> Heard {
    let nothing = bare(Bytes::new());
    let answer = post(client, intake, intake.otlp(signal), PROTOBUF, nothing).await;
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Heard::Nothing(error.to_string()),
    };
    let status = answer.status();
    let told = format!("it answered {}", status.as_u16());
    if status.is_success() {
        let content_type = answer.headers().get(CONTENT_TYPE);
        let protobuf =
            content_type.is_some_and(|value| value.as_bytes().starts_with(PROTOBUF.as_bytes()));
        // Whether there is anything is enough: what somebody else answers may have no end.
        return match answer.chunk().await {
            Ok(None) if status == StatusCode::OK && protobuf => Heard::Known,
            Ok(_) => Heard::Success,
            Err(error) => Heard::Nothing(error.to_string()),
        };
    }
    match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Heard::NotThere(format!("{told} to OTLP"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Heard::Refused(told),
        _ => Heard::Nothing(told),
    }
}
