//! Which traces are kept.

/// Whether a trace belongs to the share `rate` (0 to 1) that is kept. The trace's id decides, so that all spans of a trace are
/// kept or none, in whatever process: the last 7 bytes are random by W3C Trace Context, and they are what OpenTelemetry's
/// consistent sampling compares.
pub fn is_kept(trace_id: &[u8], rate: f64) -> bool {
    if rate >= 1.0 {
        return true;
    }
    let random = trace_id.iter().rev().take(7).rev();
    let random = random.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^56"
    )]
    let threshold = ((1.0 - rate.max(0.0)) * 2_f64.powi(56)) as u64;
    random >= threshold
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::all([0; 7], 1.0, true)]
    #[case::none([0xff; 7], 0.0, false)]
    #[case::lower_half([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0.5, false)]
    #[case::upper_half([0x80, 0, 0, 0, 0, 0, 0], 0.5, true)]
    fn the_last_seven_bytes_decide(#[case] end: [u8; 7], #[case] rate: f64, #[case] kept: bool) {
        let mut id = vec![0xaa; 9];
        id.extend(end);
        assert_eq!(is_kept(&id, rate), kept);
    }
}
