//! The world that tests and examples start from: small, deterministic, and with one of every oddity.

mod explored;
mod issues;
mod organization;
mod seeder;

use crate::world::World;
use chrono::{DateTime, SubsecRound, Utc};
use seeder::Seeder;

impl World {
    /// The deterministic world with one of every oddity; depends on `now` only.
    pub fn seeded(now: DateTime<Utc>) -> Self {
        let mut seeder = Seeder {
            world: World::empty(now),
            rng: fastrand::Rng::with_seed(0x5e47),
            now: now.trunc_subsecs(0),
        };
        seeder.people();
        seeder.projects();
        seeder.releases();
        seeder.busy_week();
        seeder.many_events();
        seeder.every_kind();
        seeder.every_status();
        seeder.old_ones();
        seeder.vanishing_ones();
        seeder.twins();
        seeder.keys();
        seeder.monitors();
        seeder.outcomes();
        seeder.sessions();
        seeder.explored();
        seeder.world
    }
}
