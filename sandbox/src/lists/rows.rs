//! The rows of a list at a place.

use crate::auth::Caller;
use crate::lists::fill::Filling;
use crate::lists::{Each, List, Place};
use crate::render::people;
use crate::world::{Member, Project, Team, Token, TokenKind};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The member of a template that says how many rows it makes.
const TIMES: &str = "$times";
/// The member of a template that says of which project only its rows are.
const ONLY: &str = "$project";
/// The member of a template that says that it makes its rows once, whatever rows are made for.
const ONCE: &str = "$once";
/// The member of a template that says which record of the world its rows begin with.
const RECORD: &str = "$record";

/// What rows are made for.
enum Item<'a> {
    Place,
    Project(&'a Project),
    Team(&'a Team),
    Member(&'a Member),
}

impl List {
    /// All rows there, as they are for a caller; `None`: for one who sees everything.
    pub fn rows(&self, place: &Place<'_>, caller: Option<&Caller>) -> Vec<Value> {
        if let Some(other) = &self.rows_of {
            let other = Self::named(other)
                .unwrap_or_else(|| panic!("sandbox/lists/{}.json: no list {other}", self.name));
            return other.rows(place, caller);
        }
        let mut rows = Vec::new();
        for (i, item) in self.items(place, caller).into_iter().enumerate() {
            for (t, different) in self.rows.iter().enumerate() {
                let mut template = self.row.clone();
                template.extend(different.clone());
                let only = template.remove(ONLY);
                let is_of = |slug: &str| matches!(item, Item::Project(one) if one.slug == slug);
                if only.is_some_and(|slug| !slug.as_str().is_some_and(is_of)) {
                    continue;
                }
                if template.remove(ONCE) == Some(Value::Bool(true)) && i > 0 {
                    continue;
                }
                let times = template.remove(TIMES);
                let times = times.and_then(|times| times.as_u64()).unwrap_or(1);
                let times = usize::try_from(times).unwrap_or(1);
                for n in 0..times {
                    rows.push(self.one_row(&template, place, &item, caller, [i, t, n]));
                }
            }
        }
        // Stable: what happened at once stays in its order.
        rows.sort_by_key(|row| std::cmp::Reverse(self.time_of(row)));
        rows
    }

    fn items<'a>(&self, place: &Place<'a>, caller: Option<&Caller>) -> Vec<Item<'a>> {
        let world = place.world;
        let own = |id: u64| place.only.is_none_or(|only| only == id);
        let visible = |one: &&Project| caller.is_none_or(|caller| caller.can_see(world, one));
        match self.each {
            None => vec![Item::Place],
            Some(Each::Project) => (world.active_projects())
                .filter(|one| own(one.id))
                .filter(visible)
                .map(Item::Project)
                .collect(),
            Some(Each::Team) => (world.teams.iter())
                .filter(|team| {
                    let project = place.project;
                    project.is_none_or(|project| project.teams.contains(&team.id))
                })
                .map(Item::Team)
                .collect(),
            Some(Each::Member) => match (place.team, place.project) {
                (Some(team), _) => (world.listed_members())
                    .filter(|one| one.user.is_some() && one.teams.contains(&team.id))
                    .map(Item::Member)
                    .collect(),
                (None, Some(project)) => (world.project_members(&BTreeSet::from([project.id])))
                    .map(Item::Member)
                    .collect(),
                (None, None) => world.listed_members().map(Item::Member).collect(),
            },
        }
    }

    fn one_row(
        &self,
        template: &Map<String, Value>,
        place: &Place<'_>,
        item: &Item<'_>,
        caller: Option<&Caller>,
        [i, t, n]: [usize; 3],
    ) -> Value {
        let place = place.clone().with(&[
            ("i", &i.to_string()),
            ("t", &t.to_string()),
            ("n", &n.to_string()),
        ]);
        let place = match item {
            Item::Place => place,
            Item::Project(one) => place.of_project(one),
            Item::Team(one) => place.of_team(one),
            Item::Member(one) => {
                let (id, user) = (one.id.to_string(), one.user.unwrap_or(0).to_string());
                place.with(&[
                    ("member_id", &id),
                    ("user_id", &user),
                    ("email", &one.email),
                ])
            }
        };
        let filling = Filling {
            names: &place.names,
            began: place.world.began,
            list: self.name,
        };
        let mut template = template.clone();
        let record = template.remove(RECORD);
        let mut row = match (record.as_ref().and_then(Value::as_str), item) {
            (None, _) => Map::new(),
            (Some("member"), Item::Member(one)) => as_map(people::member(place.world, one)),
            (Some("team"), Item::Team(one)) => {
                let everybody = Caller {
                    token: Token::of(TokenKind::Integration, &[]),
                };
                let caller = caller.unwrap_or(&everybody);
                as_map(people::team(place.world, caller, one, false))
            }
            (Some(record), _) => panic!("sandbox/lists/{}.json: no record {record}", self.name),
        };
        row.extend(filling.object(&template));
        Value::Object(row)
    }

    /// What tells a row from others, as a primary key has it.
    pub fn key_of(&self, place: &Place<'_>, row: &Value) -> String {
        let part = |name: &String| match (place.names.get(name), &row[name]) {
            (Some(value), _) | (None, Value::String(value)) => value.clone(),
            (None, other) => other.to_string(),
        };
        self.key.iter().map(part).collect::<Vec<_>>().join("|")
    }
}

fn as_map(record: Value) -> Map<String, Value> {
    match record {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
