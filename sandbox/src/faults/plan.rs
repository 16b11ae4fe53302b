//! Which faults are planned, and which is due.

use crate::faults::kind::FaultKind;
use crate::faults::matching::{Match, Target};
use crate::world::World;
use parking_lot::Mutex;
use std::fmt;

/// A fault for the matching requests after the first `skip`, `times` times.
#[derive(Clone, Debug)]
pub struct Fault {
    pub when: Match,
    pub skip: usize,
    /// `usize::MAX`: always.
    pub times: usize,
    pub kind: FaultKind,
}

impl Fault {
    /// Once, at the first match.
    pub fn once(when: Match, kind: FaultKind) -> Self {
        Self {
            when,
            skip: 0,
            times: 1,
            kind,
        }
    }

    pub fn always(when: Match, kind: FaultKind) -> Self {
        Self {
            times: usize::MAX,
            ..Self::once(when, kind)
        }
    }
}

type Change = Box<dyn FnOnce(&mut World) + Send>;

struct Hook {
    when: Match,
    skip: usize,
    change: Change,
}

struct Dice {
    rate: f64,
    rng: fastrand::Rng,
    kinds: Vec<FaultKind>,
}

#[derive(Default)]
struct Plans {
    faults: Vec<Fault>,
    hooks: Vec<Hook>,
    dice: Option<Dice>,
    fired: usize,
}

/// The faults of a running server. Several may match a request: the first added that is due wins.
#[derive(Default)]
pub struct Faults(Mutex<Plans>);

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("planned", &self.0.lock().faults)
            .finish_non_exhaustive()
    }
}

impl Faults {
    pub fn add(&self, fault: Fault) {
        self.0.lock().faults.push(fault);
    }

    /// Forgets all plans, random ones and changes included.
    pub fn clear(&self) {
        let mut plans = self.0.lock();
        let fired = plans.fired;
        *plans = Plans {
            fired,
            ..Plans::default()
        };
    }

    /// Hits a share of all requests that no planned fault hits; the same seed rolls the same dice.
    pub fn random(&self, rate: f64, seed: u64, kinds: Vec<FaultKind>) {
        self.0.lock().dice = Some(Dice {
            rate,
            rng: fastrand::Rng::with_seed(seed),
            kinds,
        });
    }

    /// Changes the data just before the matching request after the first `skip` is answered.
    pub fn on_request(
        &self,
        when: Match,
        skip: usize,
        change: impl FnOnce(&mut World) + Send + 'static,
    ) {
        self.0.lock().hooks.push(Hook {
            when,
            skip,
            change: Box::new(change),
        });
    }

    /// How many requests were hit so far.
    pub fn fired(&self) -> usize {
        self.0.lock().fired
    }

    pub(crate) fn due(&self, target: &Target<'_>) -> (Option<FaultKind>, Vec<Change>) {
        let mut plans = self.0.lock();
        let mut changes = Vec::new();
        for mut hook in std::mem::take(&mut plans.hooks) {
            if hook.when.holds(target) {
                if hook.skip == 0 {
                    changes.push(hook.change);
                    continue;
                }
                hook.skip -= 1;
            }
            plans.hooks.push(hook);
        }
        let mut kind = None;
        for fault in &mut plans.faults {
            if fault.times == 0 || !fault.when.holds(target) || !fault.kind.applies(target) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.times != usize::MAX {
                fault.times -= 1;
            }
            kind = Some(match &fault.kind {
                FaultKind::MoreRowsThan(_, kind) => FaultKind::clone(kind),
                kind => kind.clone(),
            });
            break;
        }
        if kind.is_none()
            && let Some(dice) = &mut plans.dice
            && dice.rng.f64() < dice.rate
        {
            kind = dice
                .rng
                .choice(&dice.kinds)
                .filter(|kind| kind.applies(target))
                .cloned();
        }
        plans.fired += usize::from(kind.is_some());
        (kind, changes)
    }
}
