//! What requests of both signals are full of: spans or log records.

use crate::receive::crowd::Of;
use crate::receive::depth::Inside;
use crate::receive::take::{LOG_LIMIT, RecordError, SPAN_LIMIT, Take};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;

/// One of many in a request.
pub trait Record: Inside {
    /// It may have so many encoded bytes.
    const LIMIT: usize;

    /// Where its attributes stand.
    const OF: Of;

    /// To the method that is for its kind, with the protobuf that it was decoded from, where it came so.
    fn hand(read: Result<Self, RecordError>, came: Option<&[u8]>, take: &mut impl Take);
}

impl Record for Span {
    const LIMIT: usize = SPAN_LIMIT;
    const OF: Of = Of::Span;

    fn hand(read: Result<Self, RecordError>, came: Option<&[u8]>, take: &mut impl Take) {
        take.span(read, came);
    }
}

impl Record for LogRecord {
    const LIMIT: usize = LOG_LIMIT;
    const OF: Of = Of::Log;

    fn hand(read: Result<Self, RecordError>, _: Option<&[u8]>, take: &mut impl Take) {
        take.log(read);
    }
}
