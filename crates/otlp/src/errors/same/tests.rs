//! Which of the same exceptions goes out, and when.

use super::*;
use proptest::prelude::*;

const BOUNDS: Bounds = Bounds {
    hold: Duration::from_secs(2),
    bytes: 1 << 20,
    spans: 1000,
    remembered: 100,
};

const TRACE: TraceId = [7; 16];

fn span(number: u8) -> SpanId {
    [number; 8]
}

fn place(number: u8, parent: u8) -> Place {
    Place {
        trace: TRACE,
        span: span(number),
        parent: (parent > 0).then(|| span(parent)),
    }
}

fn thrown(time: u64) -> Exception<'static> {
    Exception {
        kind: "ValueError",
        message: "x",
        time,
        start: 1000 - time,
    }
}

#[test]
fn an_exception_waits_for_the_root_of_its_trace() {
    let (mut same, now) = (Same::new(BOUNDS), Instant::now());
    assert!(same.add(place(3, 2), thrown(5), "inner", 10, now));
    assert!(same.add(place(2, 1), thrown(6), "outer", 10, now));
    assert!(same.due(now).is_empty());
    assert_eq!(same.waiting(), 2);
    assert_eq!(same.first_due(), Some(now + BOUNDS.hold));
    same.span(place(1, 0), now);
    assert_eq!(same.first_due(), Some(now));
    assert_eq!(same.due(now), ["inner"]);
    assert_eq!(same.first_due(), None);
    assert_eq!((same.waiting(), same.bytes(), same.repeated()), (0, 0, 1));
    assert!(!same.add(place(1, 0), thrown(7), "late", 10, now));
    assert!(same.due(now + BOUNDS.hold).is_empty());
    assert_eq!(same.repeated(), 2);
}

#[test]
fn without_a_root_it_waits_as_long_as_is_set() {
    let (mut same, now) = (Same::new(BOUNDS), Instant::now());
    same.add(place(3, 2), thrown(5), "inner", 10, now);
    let almost = now + Duration::from_millis(1999);
    same.add(place(2, 1), thrown(4), "outer", 10, almost);
    assert!(same.due(almost).is_empty());
    assert_eq!(
        same.due(now + BOUNDS.hold),
        ["inner"],
        "the child of the other"
    );
    assert!(same.due(almost + BOUNDS.hold).is_empty());
    assert_eq!((same.waiting(), same.bytes(), same.spans()), (0, 0, 0));
}

#[test]
fn after_the_root_nothing_waits() {
    let (mut same, now) = (Same::new(BOUNDS), Instant::now());
    same.span(place(1, 0), now);
    assert!(same.add(place(2, 1), thrown(5), "at once", 10, now));
    assert_eq!(same.due(now), ["at once"]);
}

#[test]
fn spans_without_exceptions_tell_which_is_inner() {
    let (mut same, now) = (Same::new(BOUNDS), Instant::now());
    same.add(
        place(2, 1),
        thrown(5),
        "outer, whose clock is behind",
        10,
        now,
    );
    same.add(place(4, 3), thrown(6), "inner", 10, now);
    same.span(place(3, 2), now);
    assert_eq!(same.drain(), ["inner"]);
}

#[test]
fn a_trace_that_is_a_circle_has_one_too() {
    let (mut same, now) = (Same::new(BOUNDS), Instant::now());
    same.add(place(2, 3), thrown(6), "later", 10, now);
    same.add(place(3, 2), thrown(5), "earlier", 10, now);
    assert_eq!(same.drain(), ["earlier"]);
}

#[test]
fn nothing_is_lost_to_the_bounds() {
    let tight = Bounds {
        bytes: 1000,
        spans: 3,
        remembered: 2,
        ..BOUNDS
    };
    let (mut same, now) = (Same::new(tight), Instant::now());
    for number in 0..100_u8 {
        let mut place = place(2, 1);
        place.trace = [number; 16];
        assert!(same.add(place, thrown(5), number, 400, now));
        assert!(same.bytes() <= tight.bytes && same.spans() <= tight.spans);
    }
    let mut out = same.drain();
    out.sort_unstable();
    assert_eq!(out, (0..100).collect::<Vec<_>>());
    assert_eq!(same.repeated(), 0);
    assert!(same.sent.len() <= tight.remembered);
}

/// Parents of spans by number, all smaller than the span itself; which of them recorded the exception, and when.
fn traces() -> impl Strategy<Value = Vec<(u8, Option<u64>)>> {
    prop::collection::vec((any::<u8>(), prop::option::of(0_u64..4)), 1..12).prop_map(|spans| {
        let numbered = spans.into_iter().enumerate();
        numbered
            .map(|(at, (parent, time))| {
                let above = u8::try_from(at).expect("few");
                (if above == 0 { 0 } else { parent % above + 1 }, time)
            })
            .collect()
    })
}

fn is_above(spans: &[(u8, Option<u64>)], outer: u8, inner: u8) -> bool {
    let mut at = inner;
    while at > 0 {
        at = spans[usize::from(at) - 1].0;
        if at == outer {
            return true;
        }
    }
    false
}

proptest! {
    #[test]
    fn any_order_gives_the_same_one(
        spans in traces(),
        order in prop::collection::vec(any::<u64>(), 12),
        looked in prop::collection::vec(any::<bool>(), 12),
    ) {
        let mut numbers: Vec<u8> = (1..=u8::try_from(spans.len()).expect("few")).collect();
        let now = Instant::now();
        let in_order = |numbers: &[u8], looks: bool| {
            let mut same = Same::new(BOUNDS);
            let mut out = Vec::new();
            for (&number, looked) in numbers.iter().zip(&looked) {
                let (parent, time) = spans[usize::from(number) - 1];
                match time {
                    Some(time) => {
                        same.add(place(number, parent), thrown(time), number, 10, now);
                    }
                    None => same.span(place(number, parent), now),
                }
                if looks && *looked {
                    out.extend(same.due(now));
                }
            }
            out.extend(same.drain());
            out
        };
        let first = in_order(&numbers, false);
        let recorded: Vec<u8> = numbers
            .iter()
            .copied()
            .filter(|number| spans[usize::from(*number) - 1].1.is_some())
            .collect();
        prop_assert_eq!(first.len(), usize::from(!recorded.is_empty()));
        for chosen in &first {
            let has_inner = recorded.iter().any(|inner| is_above(&spans, *chosen, *inner));
            prop_assert!(!has_inner);
        }
        numbers.sort_by_key(|number| order[usize::from(*number) - 1]);
        prop_assert_eq!(in_order(&numbers, false), first);
        prop_assert_eq!(in_order(&numbers, true).len(), usize::from(!recorded.is_empty()));
    }

    #[test]
    fn what_differs_is_never_one(
        all in prop::collection::hash_set((0_u8..3, "[ab]{0,2}", "[ab]{0,2}"), 0..20),
        looked in any::<bool>(),
    ) {
        let (mut same, now) = (Same::new(BOUNDS), Instant::now());
        let mut out = Vec::new();
        for (trace, kind, message) in &all {
            let mut place = place(2, 1);
            place.trace = [*trace; 16];
            let exception = Exception { kind, message, ..thrown(5) };
            let item = (*trace, kind.clone(), message.clone());
            prop_assert!(same.add(place, exception, item, 10, now));
            if looked {
                out.extend(same.due(now + BOUNDS.hold));
            }
        }
        out.extend(same.drain());
        prop_assert_eq!(out.len(), all.len());
        prop_assert_eq!(out.into_iter().collect::<std::collections::HashSet<_>>(), all);
    }
}
