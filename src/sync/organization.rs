//! Organizations and their projects: which lists run where.

use crate::error::Error;
use crate::report::run::Report;
use crate::settings::Settings;
use crate::singer::queue::{Closed, Event, EventSender};
use crate::singer::state::{Bookmarks, Partition};
use crate::streams::{OF_A_PROJECT, OF_AN_ORGANIZATION, ORGANIZATIONS, PROJECTS};
use crate::sync::children::{ChildWindow, read_chosen};
use crate::sync::counts::ErrorCounts;
use crate::sync::failure::{Failure, Stop, reason};
use crate::sync::limit::WindowLimits;
use crate::sync::list::{self, Whole};
use crate::sync::listing::Listing;
use crate::sync::plan::{self, EVERY_PROJECT, Group, Node};
use crate::sync::row::Reference;
use crate::sync::session::{Session, tell_gone};
use crate::sync::wide::WideSync;
use crate::sync::windows::{GroupSync, checkpoint};
use chrono::TimeDelta;
use futures::future::{join_all, try_join_all};
use futures::stream::{self, TryStreamExt};
use tap_sentry_api::client::Client;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::params::{ORGANIZATION, PROJECT_ID, Params};
use tap_sentry_api::time::format_instant;
use tap_sentry_api::window::{Window, whole_second};

/// One run over the plan.
pub struct Sync<'a> {
    session: Session<'a>,
    tree: &'a [Node],
    bookmarks: Bookmarks,
}

/// The projects of one organization.
struct Listed {
    organization: String,
    /// Those that are chosen.
    projects: Vec<Reference>,
    /// Of all that the token sees.
    slugs: Vec<String>,
}

impl<'a> Sync<'a> {
    pub fn new(
        client: &'a Client,
        settings: &'a Settings,
        tree: &'a [Node],
        bookmarks: &'a Bookmarks,
        report: &'a Report,
        sender: EventSender,
        counts: Option<&'a ErrorCounts>,
    ) -> Self {
        let mut session = Session::new(client, settings.clone(), report, sender);
        session.counts = counts;
        Self {
            session,
            tree,
            bookmarks: bookmarks.clone(),
        }
    }

    /// Extracts everything that is planned.
    ///
    /// # Errors
    /// What ends the run at once; what could not be extracted otherwise is in the report.
    pub async fn run(mut self) -> Result<(), Stop> {
        for node in self.tree {
            tell_of_full_rows(node, &self.session.settings);
        }
        let organizations = organization_slugs(&self.session).await?;
        let contexts: Vec<Params> = organizations
            .into_iter()
            .map(Params::organization)
            .collect();
        let unlisted = Node::silent(PROJECTS);
        let everything = self.session.settings.projects.is_everything();
        let listing = listing_node(self.tree, &unlisted, everything);
        let mut listed: Vec<Option<Listed>> = Vec::new();
        if let Some(node) = listing {
            let only = contexts.len() == 1;
            let lists = contexts
                .iter()
                .map(|context| self.projects(node, context, only));
            listed = try_join_all(lists).await?;
            self.all_named_are_seen(&listed)?;
            let mut known = listed.iter().flatten();
            if known.all(|listed| listed.projects.is_empty()) {
                log::warn!(
                    "no project to extract: the token sees none, or `project_slugs` leaves none"
                );
            }
            self.set_clock().await?;
            for listed in listed.iter().flatten() {
                self.plan_projects(node, listed).await?;
            }
        } else {
            self.set_clock().await?;
        }
        let mut projects = listed
            .into_iter()
            .map(|listed| listed.map(|listed| listed.projects));
        let organizations = contexts.iter().map(|context| {
            let projects = projects.next().flatten();
            self.organization(context, listing, projects)
        });
        try_join_all(organizations).await?;
        Ok(self.session.sender.send(Event::Done).await?)
    }

    /// Fixes the run's `now`, before anything is planned and for all of it. What a bookmark says of the time after it was
    /// written by a clock that ran ahead.
    async fn set_clock(&mut self) -> Result<(), Closed> {
        if self.tree.iter().all(|node| node.incremental().is_empty()) {
            return Ok(());
        }
        let client = self.session.client;
        let mut reading = client.clock();
        if reading.is_none() {
            // A cache may have given all that was asked for so far, and tells nothing of the time.
            client.ask_the_time().await;
            reading = client.clock();
        }
        let Some(reading) = reading else {
            log::info!(
                "no answer tells the server's time (`Date` without `Age`): this machine's clock counts"
            );
            return self.set_bookmarks().await;
        };
        if let Some(warning) = reading.warning() {
            log::warn!("{warning}");
        }
        let settings = &mut self.session.settings;
        *settings = settings.at(reading.now(settings.now));
        if settings.start_date >= settings.end {
            let now = format_instant(settings.now);
            log::warn!(
                "`start_date` is in the future by the server's clock ({now}): nothing can come"
            );
        }
        self.set_bookmarks().await
    }

    async fn set_bookmarks(&mut self) -> Result<(), Closed> {
        let now = whole_second(self.session.settings.now);
        let Some((stream, start)) = self.bookmarks.latest().filter(|(_, start)| *start > now)
        else {
            return Ok(());
        };
        if start - now > TimeDelta::minutes(1) {
            log::warn!(
                target: stream,
                "the bookmark {} in the state is in the future: it was written by a clock that ran ahead, and what happened since that run \
                 and is older than `lookback_minutes` may be missing; it is set to {}",
                format_instant(start),
                format_instant(now)
            );
        }
        self.bookmarks.set_back(now);
        self.session.sender.send(Event::Now(now)).await
    }

    /// A slug that `project_slugs` names must be one of a project that the token sees in some organization. Where a list
    /// could not be read it may be there.
    fn all_named_are_seen(&self, listed: &[Option<Listed>]) -> Result<(), Stop> {
        let listed: Option<Vec<&Listed>> = listed.iter().map(Option::as_ref).collect();
        let Some(listed) = listed else {
            return Ok(());
        };
        let slugs = listed
            .iter()
            .flat_map(|listed| listed.slugs.iter().cloned());
        let slugs: Vec<String> = slugs.collect();
        let projects = &self.session.settings.projects;
        let nowhere = projects.excluded_nowhere(&slugs);
        if !nowhere.is_empty() {
            log::warn!(
                "`exclude_project_slugs` names what the token does not see, which leaves out nothing: {}",
                nowhere.join(", ")
            );
        }
        let missing = projects.missing(&slugs);
        if missing.is_empty() {
            return Ok(());
        }
        let organizations = listed
            .iter()
            .map(|listed| format!("`{}`", listed.organization));
        let text = format!(
            "`project_slugs` names what the token does not see in {}: {}",
            organizations.collect::<Vec<_>>().join(", "),
            missing.join(", ")
        );
        Err(Stop::Error(Error::Setup(text)))
    }

    /// Names the partitions of the lists below the projects, before any of them is read.
    async fn plan_projects(&self, node: &Node, listed: &Listed) -> Result<(), Closed> {
        let context = Params::organization(&listed.organization);
        let projects = listed.projects.iter();
        let partitions = projects.map(|project| Partition::of(&context.with(&project.bind)));
        let partitions: Vec<Partition> = partitions.collect();
        for child in &node.children {
            self.plan_partitions(child, &partitions).await?;
        }
        Ok(())
    }

    async fn plan_partitions(&self, node: &Node, partitions: &[Partition]) -> Result<(), Closed> {
        for node in node.incremental() {
            let event = Event::Plan(node.def.name(), partitions.to_vec());
            self.session.sender.send(event).await?;
        }
        Ok(())
    }

    /// Everything of one organization; `projects` are those that were chosen, `None` when their list could not be read.
    async fn organization(
        &self,
        context: &Params,
        listing: Option<&Node>,
        projects: Option<Vec<Reference>>,
    ) -> Result<(), Stop> {
        let below_projects = async {
            match (listing, &projects) {
                (Some(node), Some(projects)) => self.below_projects(node, context, projects).await,
                _ => Ok(()),
            }
        };
        let others = self.tree.iter().filter(|node| node.def.choice.is_none());
        let others = others.map(async |node| {
            if node.has_bookmarks() {
                self.groups(node, context, projects.as_deref()).await
            } else if node.def.is_of_projects() {
                self.of_projects(node, context, projects.as_deref()).await
            } else {
                self.node(node, context).await
            }
        });
        let others = async {
            let ended: Result<Vec<()>, Stop> = join_all(others).await.into_iter().collect();
            ended
        };
        futures::try_join!(below_projects, others).map(drop)
    }

    /// A list of the organization that is incremental, or has something below it that is: for each group of projects that
    /// start alike, or once if it is of no projects.
    async fn groups(
        &self,
        node: &Node,
        context: &Params,
        projects: Option<&[Reference]>,
    ) -> Result<(), Stop> {
        let (settings, bookmarks) = (&self.session.settings, &self.bookmarks);
        let everything = settings.projects.is_everything();
        let groups = match projects {
            Some(projects) if node.def.interval.is_some() && !everything => {
                match Group::together(node, context, projects, settings, bookmarks) {
                    Ok(group) => group.into_iter().collect(),
                    Err(reason) => return Ok(self.session.gap(node, context, reason).await?),
                }
            }
            // Numbers of one project are no part of those of all.
            _ if everything && node.def.interval.is_some() => {
                vec![Group::unlisted(node, context, settings, bookmarks)]
            }
            _ if !node.def.endpoint.names_projects() => {
                vec![Group::one(node, context.clone(), settings, bookmarks)]
            }
            Some(projects) => plan::groups_or_every(node, context, projects, settings, bookmarks),
            None if everything => {
                vec![Group::unlisted(node, context, settings, bookmarks)]
            }
            None => {
                let reason = "the list of projects is missing";
                return Ok(self.session.gap(node, context, reason).await?);
            }
        };
        let partitions = groups.iter().flat_map(|group| group.partitions.clone());
        let partitions: Vec<Partition> = partitions.collect();
        self.plan_partitions(node, &partitions).await?;
        let groups = groups.iter().map(|group| self.group(node, context, group));
        join_all(groups).await.into_iter().collect()
    }

    /// The chosen projects; `None` when their list could not be read. That `only` organization must be known: otherwise
    /// there is nothing to extract.
    async fn projects(
        &self,
        node: &Node,
        context: &Params,
        only: bool,
    ) -> Result<Option<Listed>, Stop> {
        let mut listing = Listing::new(&self.session, node, context.clone());
        listing.bind = OF_A_PROJECT.bind.to_vec();
        let mut projects: Vec<Reference> = Vec::new();
        let whole = Whole::of(&node.def.endpoint);
        let read = list::read(&listing, None, whole, async |_, rows| {
            projects.extend(rows.into_iter().filter_map(|row| row.reference));
            Ok(())
        });
        let seen = match read.await {
            Ok(seen) => seen,
            Err(Failure::Stop(stop)) => return Err(stop),
            Err(Failure::Api(error)) => {
                return self
                    .no_projects(node, context, only, error)
                    .await
                    .map(|()| None);
            }
        };
        // A project that cannot be read has no partition here, and nobody knows which it would be.
        let alone = Node::silent(node.def);
        let partition = [Partition::of(context)];
        self.session
            .unreadable(&alone, context, &partition, &seen.unreadable)
            .await?;
        Ok(Some(Listed {
            organization: context.get(ORGANIZATION).unwrap_or_default().to_owned(),
            projects,
            slugs: listing.slugs(),
        }))
    }

    /// The list of projects could not be read.
    async fn no_projects(
        &self,
        node: &Node,
        context: &Params,
        only: bool,
        error: ApiError,
    ) -> Result<(), Stop> {
        if error.status() == Some(404) {
            let unknown = Error::UnknownOrganization {
                slug: context.get(ORGANIZATION).unwrap_or_default().to_owned(),
                error: error.into(),
            };
            if only {
                return Err(Stop::Error(unknown));
            }
            return Ok(self
                .session
                .gap(node, context, &unknown.to_string())
                .await?);
        }
        let is_needed = node.emit.is_some()
            || !node.children.is_empty()
            || !self.session.settings.projects.is_everything();
        if is_needed {
            let reason = reason(&node.def.endpoint, &error);
            return Ok(self.session.gap(node, context, &reason).await?);
        }
        log::warn!(target: node.def.name(), "{}: {error}; what is asked for has one bookmark for all projects", context.label());
        Ok(())
    }

    /// The streams below each project.
    async fn below_projects(
        &self,
        listing: &Node,
        context: &Params,
        projects: &[Reference],
    ) -> Result<(), Stop> {
        let concurrency = self.session.settings.connection.concurrency;
        let streams = listing.children.iter().map(async |node| {
            if let Some((windows, project)) = node.def.windows().and_then(|w| Some((w, w.project?)))
            {
                let wide = WideSync::new(
                    &self.session,
                    &self.bookmarks,
                    node,
                    windows,
                    project,
                    context,
                );
                return wide.run(projects).await;
            }
            stream::iter(projects.iter().map(Ok::<_, Stop>))
                .try_for_each_concurrent(concurrency, async |project| {
                    self.node(node, &context.with(&project.bind)).await
                })
                .await
        });
        join_all(streams).await.into_iter().collect()
    }

    /// One stream at one place, and everything below it.
    async fn node(&self, node: &Node, context: &Params) -> Result<(), Stop> {
        if node.has_bookmarks() {
            let settings = &self.session.settings;
            let group = Group::one(node, context.clone(), settings, &self.bookmarks);
            return self.group(node, context, &group).await;
        }
        self.read(node, context, None, &[]).await
    }

    /// What is new of a list of one group, or below it.
    async fn group(&self, node: &Node, context: &Params, group: &Group) -> Result<(), Stop> {
        let session = &self.session;
        if let Some(windows) = node.def.windows() {
            let group = GroupSync::new(session, &self.bookmarks, node, windows, context, group);
            return group.run().await;
        }
        let end = session.settings.end;
        let window = Window {
            start: group.starts.of_subtree(node).unwrap_or(end),
            end,
        };
        let limits = WindowLimits::default();
        let within = ChildWindow::new(window, &group.starts, &limits);
        self.read(node, context, Some(within), &group.projects)
            .await?;
        // What failed was told before, and holds it back.
        Ok(checkpoint(session, node, group, end).await?)
    }

    /// A full table of the organization whose rows are of projects: those that are chosen.
    async fn of_projects(
        &self,
        node: &Node,
        context: &Params,
        projects: Option<&[Reference]>,
    ) -> Result<(), Stop> {
        if self.session.settings.projects.is_everything() {
            let every = [EVERY_PROJECT.to_owned()];
            return self.read(node, context, None, &every).await;
        }
        let Some(projects) = projects else {
            let reason = "the list of projects is missing";
            return Ok(self.session.gap(node, context, reason).await?);
        };
        let places = projects.iter().map(|project| context.with(&project.bind));
        for part in plan::nameable(places.collect()) {
            let ids = part.iter().filter_map(|place| place.get(PROJECT_ID));
            let ids: Vec<String> = ids.map(str::to_owned).collect();
            self.read(node, context, None, &ids).await?;
        }
        Ok(())
    }

    async fn read(
        &self,
        node: &Node,
        context: &Params,
        within: Option<ChildWindow<'_>>,
        projects: &[String],
    ) -> Result<(), Stop> {
        let session = &self.session;
        match read_chosen(session, node, context, within, projects).await {
            Ok(_) => Ok(()),
            Err(Failure::Stop(stop)) => Err(stop),
            Err(Failure::Api(e)) if e.not_there() && node.def.parent.is_some() => {
                tell_gone(node.def, context);
                Ok(())
            }
            Err(Failure::Api(e)) if session.lacks(node, context, &e).await? => Ok(()),
            Err(Failure::Api(e)) => {
                let reason = reason(&node.def.endpoint, &e);
                Ok(session.gap(node, context, &reason).await?)
            }
        }
    }
}

/// The node whose rows are the projects, if they are needed: to be written, for what is below them, or for the bookmarks of
/// incremental lists of the organization, which are kept by project; or for lists of the organization of which some projects
/// are chosen.
fn listing_node<'a>(tree: &'a [Node], unlisted: &'a Node, everything: bool) -> Option<&'a Node> {
    let listing = tree.iter().find(|node| node.def.choice.is_some());
    let mut of_projects = tree
        .iter()
        .filter(|node| node.def.endpoint.names_projects());
    let by_project = of_projects.any(|node| node.has_bookmarks() || !everything);
    listing.or(by_project.then_some(unlisted))
}

/// The configured organizations, or all that the token sees.
///
/// # Errors
/// When there are none, or they cannot be listed.
pub async fn organization_slugs(session: &Session<'_>) -> Result<Vec<String>, Stop> {
    let configured = &session.settings.organizations;
    if !configured.is_empty() {
        return Ok(configured.clone());
    }
    let node = Node::silent(&ORGANIZATIONS);
    let mut listing = Listing::new(session, &node, Params::default());
    listing.bind = OF_AN_ORGANIZATION.bind.to_vec();
    let mut slugs = Vec::new();
    let whole = Whole::of(&ORGANIZATIONS.endpoint);
    let read = list::read(&listing, None, whole, async |_, rows| {
        let bound = rows.into_iter().filter_map(|row| row.reference);
        slugs.extend(
            bound
                .flat_map(|organization| organization.bind)
                .map(|(_, slug)| slug),
        );
        Ok(())
    });
    read.await.map_err(|failure| match failure {
        Failure::Stop(stop) => stop,
        Failure::Api(e) if e.unanswered() => Stop::Error(Error::Unanswered(e)),
        // Without organizations there is nothing that could be read instead.
        Failure::Api(e) if e.status() == Some(401) => Stop::Error(Error::Authentication(e)),
        Failure::Api(e) => Stop::Error(Error::Setup(format!(
            "cannot list the token's organizations ({e}); set `organization` to the slug of yours"
        ))),
    })?;
    if slugs.is_empty() {
        return Err(Stop::Error(Error::Setup("the list of the token's organizations is empty; set `organization` to the slug of yours (tokens of internal integrations need this)".to_owned())));
    }
    Ok(slugs)
}

/// Says that rows are read in full though nobody has asked for them so, and why.
fn tell_of_full_rows(node: &Node, settings: &Settings) {
    let cuts = node.in_full_rows().map(|node| node.def.name());
    let cuts: Vec<&str> = cuts.collect();
    if !cuts.is_empty() && !settings.fetch_event_details {
        let name = node.def.name();
        let (what, cuts) = (node.emit.as_ref(), cuts.join(", "));
        let what = what.map_or("read", |_| "read and written");
        log::info!(target: name, "`{name}` is {what} in full, as with `fetch_event_details`, because of what is cut from it: {cuts}");
    }
    for child in &node.children {
        tell_of_full_rows(child, settings);
    }
}
