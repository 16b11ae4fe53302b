//! Which projects there are, and whose they are.

use crate::families::Families;
use crate::figures::{PROJECT_INFO, TEAM_PROJECT_INFO};
use crate::visit::Visit;

pub fn collect(visit: &Visit<'_>) -> Families {
    let mut families = Families::default();
    let organization = visit.organization;
    for project in visit.projects.values() {
        let platform = project.platform.as_deref().unwrap_or_default();
        let id = project.id.to_string();
        let labels = [organization, &project.slug, &id, platform];
        families.set(&PROJECT_INFO, &labels, true);
        for team in &project.teams {
            let labels = [organization, &team.slug, &project.slug];
            families.set(&TEAM_PROJECT_INFO, &labels, true);
        }
    }
    families
}
