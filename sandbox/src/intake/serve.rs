//! The path of one request to the intake, from its head to its answer.

use crate::draft::Draft;
use crate::faults::{self, FaultKind};
use crate::intake::answer::{self, Form, Refusal};
use crate::intake::body;
use crate::intake::door::Door;
use crate::intake::key;
use crate::intake::parcel::{self, Offer};
use crate::intake::state::Intake;
use crate::limits::Class;
use crate::problem::Problem;
use crate::request::Head;
use crate::shared::Shared;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;

/// Where the sandbox itself is asked what became of all that it was handed, and told what not to take.
const OUTCOMES: &str = "/_sandbox/intake";
const QUOTAS: &str = "/_sandbox/intake/quotas";
/// More than any list of quotas needs.
const LONGEST_LIST: usize = 65_536;

/// The answer, if the request is one to the intake.
pub(crate) async fn serve(shared: &Shared, parts: &Parts, body: Body) -> Result<Response, Body> {
    let Some(intake) = &shared.intake else {
        return Err(body);
    };
    let path = parts.uri.path();
    if path == OUTCOMES {
        let head = Head::new(parts);
        return Ok(shared.send(outcomes(intake, &parts.method), None, &head));
    }
    if path == QUOTAS {
        let head = Head::new(parts);
        let draft = quotas(intake, parts, body).await;
        return Ok(draft.map_or_else(Shared::hang_up, |draft| shared.send(draft, None, &head)));
    }
    let Some((door, project)) = Door::of(path) else {
        return Err(body);
    };
    let head = Head::new(parts);
    let serial = shared.log.add(&head, parts, Class::Default);
    let fault = shared.disturbed(&head).await;
    if fault == Some(FaultKind::Reset) {
        return Ok(Shared::hang_up());
    }
    let post = Post {
        intake,
        door,
        project,
        head: &head,
        parts,
    };
    let answer = post.answer(shared, body, fault.as_ref()).await;
    let Some(answer) = answer.filter(|_| fault != Some(FaultKind::ResetTaken)) else {
        return Ok(Shared::hang_up());
    };
    shared.log.answered(serial, answer.status);
    Ok(shared.send(answer, None, &head))
}

fn outcomes(intake: &Intake, method: &Method) -> Draft {
    match *method {
        Method::GET => answer::json_draft(&intake.ledger.lock().outcomes().json()),
        Method::DELETE => {
            intake.ledger.lock().clear();
            answer::bare(StatusCode::NO_CONTENT)
        }
        _ => answer::bare(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// `None`: nobody is there to hear it.
async fn quotas(intake: &Intake, parts: &Parts, body: Body) -> Option<Draft> {
    if parts.method != Method::PUT {
        return Some(answer::bare(StatusCode::METHOD_NOT_ALLOWED));
    }
    let list = match body::read(body, &parts.headers, LONGEST_LIST).await {
        Ok(list) => list,
        Err(error) => return Some(error.refusal()?.draft(Form::Sentry)),
    };
    Some(match intake.quotas.replace(&list) {
        Ok(()) => answer::bare(StatusCode::NO_CONTENT),
        Err(problem) => Refusal::new(StatusCode::BAD_REQUEST, problem).draft(Form::Sentry),
    })
}

/// One request.
struct Post<'a> {
    intake: &'a Intake,
    door: Door,
    /// As the path has it.
    project: &'a str,
    head: &'a Head<'a>,
    parts: &'a Parts,
}

impl Post<'_> {
    /// Relay itself does not mind, but some of the servers that stand in front of it do: RFC 9110, section 8.6, wants a length of
    /// every POST, an empty one, too. HTTP/2 has frames that tell it.
    fn is_without_length(&self) -> bool {
        let headers = &self.parts.headers;
        self.parts.version <= Version::HTTP_11
            && !headers.contains_key(header::CONTENT_LENGTH)
            && !headers.contains_key(header::TRANSFER_ENCODING)
    }

    /// `None`: nobody is there to hear it.
    async fn answer(
        &self,
        shared: &Shared,
        body: Body,
        fault: Option<&FaultKind>,
    ) -> Option<Draft> {
        let relay = self.intake.relay;
        if !relay.has(self.door) {
            return Some(Problem::no_route(self.head.path).into());
        }
        match self.parts.method {
            Method::POST => {}
            Method::OPTIONS => return Some(preflight()),
            _ => return Some(answer::bare(StatusCode::METHOD_NOT_ALLOWED)),
        }
        if self.is_without_length() {
            return Some(answer::bare(StatusCode::LENGTH_REQUIRED));
        }
        let form = self.form();
        let spoken = form.filter(|_| relay.speaks_otlp()).unwrap_or(Form::Sentry);
        if fault == Some(&FaultKind::Status(503)) {
            let refusal =
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the service is overloaded");
            return Some(refusal.draft(spoken));
        }
        if let Some(problem) = fault.and_then(faults::refusal) {
            return Some(problem.into());
        }
        let Some(form) = form else {
            let given = self.parts.headers.get(header::CONTENT_TYPE);
            let given = given
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            let refusal = Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("unsupported content type: {given}"),
            );
            let form = if relay.speaks_otlp() {
                Form::OtlpJson
            } else {
                Form::Sentry
            };
            return Some(refusal.draft(form));
        };
        let draft = match self.offer(form, body).await? {
            Ok(offer) => self.intake.take(&mut shared.world.lock(), offer),
            Err(refusal) => refusal.draft(spoken),
        };
        Some(match fault {
            Some(kind) => faults::spoil_draft(draft, kind),
            None => draft,
        })
    }

    /// What is handed in, once its head is good.
    async fn offer(&self, form: Form, body: Body) -> Option<Result<Offer, Refusal>> {
        let key = match self.key() {
            Ok(key) => key,
            Err(refusal) => return Some(Err(refusal)),
        };
        let Ok(project) = self.project.parse::<u64>() else {
            let cause = "invalid project id";
            return Some(Err(Refusal::bad_request(
                "bad project path parameter",
                cause,
            )));
        };
        let limit = parcel::limit(self.door);
        match body::read(body, &self.parts.headers, limit).await {
            Ok(body) => Some(Ok(Offer {
                door: self.door,
                form,
                project,
                key,
                body,
            })),
            Err(error) => error.refusal().map(Err),
        }
    }

    /// An envelope may bring its key inside.
    fn key(&self) -> Result<Option<String>, Refusal> {
        let key = key::of_request(&self.parts.headers, &self.head.pairs, self.intake.relay)?;
        if key.is_none() && self.door != Door::Envelope {
            return Err(key::missing());
        }
        Ok(key)
    }

    /// How the endpoint answers, by the type of what it is sent; `None`: of this type it takes nothing.
    fn form(&self) -> Option<Form> {
        if !matches!(self.door, Door::Otlp(_)) {
            return Some(Form::Sentry);
        }
        let given = self
            .parts
            .headers
            .get(header::CONTENT_TYPE)?
            .to_str()
            .ok()?;
        let (name, parameter) = given.split_once(';').unwrap_or((given, "charset=utf-8"));
        if !parameter.trim().eq_ignore_ascii_case("charset=utf-8") {
            return None;
        }
        match name.trim().to_ascii_lowercase().as_str() {
            answer::PROTOBUF => Some(Form::OtlpProtobuf),
            crate::problem::JSON => Some(Form::OtlpJson),
            _ => None,
        }
    }
}

/// What a browser asks before it sends.
fn preflight() -> Draft {
    let mut draft = answer::bare(StatusCode::OK);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "x-sentry-auth,x-requested-with,origin,accept,content-type,authentication,authorization,content-encoding",
        ),
    ] {
        draft.headers.insert(name, HeaderValue::from_static(value));
    }
    draft
}
