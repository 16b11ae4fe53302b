//! Users, headers and the rate limit, by the web configuration file and beside it.

mod common;

use common::{Program, hash};
use std::sync::Arc;
use tap_sentry_serve::server::WebSource;
use tap_sentry_serve::users::PlainUser;
use tap_sentry_serve::web_config::WebConfig;

fn users(list: &[(&str, &str)]) -> String {
    let lines = list
        .iter()
        .map(|(name, password)| format!("  {name}: {}\n", hash(password)));
    format!("basic_auth_users:\n{}", lines.collect::<String>())
}

fn plain_user() -> PlainUser {
    PlainUser {
        name: "prometheus".to_owned(),
        password: "plain".into(),
        realm: Some("Authentication Required".to_owned()),
    }
}

#[tokio::test]
async fn users_of_the_file_guard_every_path() {
    let server = Program::with_web(&users(&[("alice", "right"), ("bob", "other")]))
        .start()
        .await;
    for path in ["/hello", "/nothing", "/-/healthy", "/-/ready"] {
        let refused = server.get(path).await;
        refused.is(401, "Unauthorized\n");
        assert_eq!(refused.header("www-authenticate"), "Basic");
    }
    for (name, password, status) in [
        ("alice", "right", 200),
        ("alice", "right", 200),
        ("bob", "other", 200),
        ("alice", "other", 401),
        ("alice", "", 401),
        ("", "", 401),
        ("nobody", "right", 401),
    ] {
        let answer = server.get_as("/hello", name, password).await;
        assert_eq!(answer.status, status, "{name} {password}");
    }
    server
        .get_as("/who", "alice", "right")
        .await
        .is(200, "a user");
    server
        .get_as("/-/ready", "alice", "right")
        .await
        .is(200, "Ready\n");
}

#[tokio::test]
async fn a_bearer_of_the_token_is_let_in_beside_users() {
    let mut program = Program::default();
    program.server.bearer_token = Some("the-token".into());
    let users = [("alice".to_owned(), hash("right"))].into();
    let given = WebConfig::given(None, users);
    program.server.web_config = Some(WebSource::Given(Arc::new(given)));
    let server = program.start().await;
    for (value, status) in [
        ("Bearer the-token", 200),
        ("bearer the-token", 200),
        ("Bearer the-toke", 401),
        ("Bearer ", 401),
        ("the-token", 401),
    ] {
        let answer = server.get_with("/who", value).await;
        assert_eq!(answer.status, status, "{value}");
    }
    let user = server.get_as("/who", "alice", "right").await;
    user.is(200, "a user");
}

#[tokio::test]
async fn a_token_alone_guards_all_but_health() {
    let mut program = Program::default();
    program.server.bearer_token = Some("the-token".into());
    let server = program.start().await;
    let refused = server.get("/hello").await;
    refused.is(401, "Unauthorized\n");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert_eq!(server.get("/-/healthy").await.status, 200);
    let user = server.get_as("/hello", "alice", "right").await;
    assert_eq!(user.status, 401);
}

#[tokio::test]
async fn a_user_of_the_program_leaves_health_open() {
    let mut program = Program::default();
    program.server.user = Some(plain_user());
    program.server.health = program.server.health.clone().alias_ready("/healthz/ready");
    let server = program.start().await;
    for path in ["/-/healthy", "/-/ready", "/healthz/ready"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for path in ["/hello", "/nothing", "/", "/-/ready/", "/healthz/live"] {
        let refused = server.get(path).await;
        refused.is(401, "Unauthorized\n");
        assert_eq!(
            refused.header("www-authenticate"),
            "Basic realm=\"Authentication Required\""
        );
    }
    server
        .get_as("/who", "prometheus", "plain")
        .await
        .is(200, "a user");
    assert_eq!(
        server.get_as("/who", "prometheus", "wrong").await.status,
        401
    );
}

#[tokio::test]
async fn users_of_the_file_take_the_place_of_the_programs_user() {
    let mut program = Program::with_web(&users(&[("alice", "right")]));
    program.server.user = Some(plain_user());
    let server = program.start().await;
    assert_eq!(
        server.get_as("/hello", "prometheus", "plain").await.status,
        401
    );
    assert_eq!(server.get("/-/healthy").await.status, 401);
    assert_eq!(server.get_as("/hello", "alice", "right").await.status, 200);
    server.write("web.yml", "");
    assert_eq!(
        server.get_as("/hello", "prometheus", "plain").await.status,
        200
    );
    assert_eq!(server.get_as("/hello", "alice", "right").await.status, 401);
}

#[tokio::test]
async fn without_users_everybody_is_anybody() {
    let server = Program::with_web("http_server_config: {}").start().await;
    server
        .get_as("/who", "alice", "right")
        .await
        .is(200, "anybody");
}

#[tokio::test]
async fn the_file_is_read_for_every_request() {
    let server = Program::with_web(&users(&[("alice", "right")]))
        .start()
        .await;
    assert_eq!(server.get_as("/hello", "alice", "right").await.status, 200);
    server.write("web.yml", &users(&[("alice", "new"), ("bob", "right")]));
    assert_eq!(server.get_as("/hello", "alice", "right").await.status, 401);
    assert_eq!(server.get_as("/hello", "alice", "new").await.status, 200);
    assert_eq!(server.get_as("/hello", "bob", "right").await.status, 200);
    // A wrong hash costs its user alone.
    let wrong = users(&[("alice", "new")]) + "  bob: nohash\n";
    server.write("web.yml", &wrong);
    assert_eq!(server.get_as("/hello", "alice", "new").await.status, 200);
    assert_eq!(server.get_as("/hello", "bob", "nohash").await.status, 401);
    for bad in ["basic_auth_users: [alice]", "users: {}", "{"] {
        server.write("web.yml", bad);
        for path in ["/hello", "/-/healthy"] {
            let answer = server.get_as(path, "alice", "new").await;
            answer.is(500, "Internal Server Error\n");
        }
    }
    std::fs::remove_file(server.folder.path().join("web.yml")).expect("removed");
    server
        .get("/hello")
        .await
        .is(500, "Internal Server Error\n");
    server.write("web.yml", &users(&[("alice", "right")]));
    assert_eq!(server.get_as("/hello", "alice", "right").await.status, 200);
    server.write("web.yml", "");
    assert_eq!(server.get("/hello").await.status, 200);
}

#[tokio::test]
async fn headers_stand_on_every_answer_and_a_page_may_set_its_own() {
    let headers = "http_server_config: {headers: {X-Frame-Options: deny, Content-Security-Policy: default-src}}\n";
    let server = Program::with_web(&(headers.to_owned() + &users(&[("alice", "right")])))
        .start()
        .await;
    let hello = server.get_as("/hello", "alice", "right").await;
    let refused = server.get("/hello").await;
    let missing = server.get_as("/nothing", "alice", "right").await;
    let failed = server.get_as("/panic", "alice", "right").await;
    let statuses = [&hello, &refused, &missing, &failed].map(|answer| answer.status);
    assert_eq!(statuses, [200, 401, 404, 500]);
    for answer in [hello, refused, missing, failed] {
        assert_eq!(answer.header("x-frame-options"), "deny");
        assert_eq!(answer.header("content-security-policy"), "default-src");
    }
    let page = server.get_as("/page", "alice", "right").await;
    assert_eq!(page.header("content-security-policy"), "style-src 'self'");
    server.write(
        "web.yml",
        "http_server_config: {headers: {X-Frame-Options: sameorigin}}",
    );
    let hello = server.get("/hello").await;
    assert_eq!(hello.header("x-frame-options"), "sameorigin");
    assert_eq!(hello.header("content-security-policy"), "");
}

#[tokio::test]
async fn beyond_the_rate_limit_requests_are_refused() {
    let server = Program::with_web("rate_limit: {interval: 2h, burst: 3}")
        .start()
        .await;
    for path in ["/hello", "/-/healthy", "/nothing"] {
        assert_ne!(server.get(path).await.status, 429, "{path}");
    }
    for path in ["/hello", "/-/healthy"] {
        server.get(path).await.is(429, "Too Many Requests\n");
    }
    // Another limit counts from the next start on; a bad file is told before the limit.
    server.write("web.yml", "rate_limit: {interval: 2h, burst: 1000}");
    assert_eq!(server.get("/hello").await.status, 429);
    server.write("web.yml", "rate_limit: {interval: never}");
    assert_eq!(server.get("/hello").await.status, 500);
}

#[tokio::test]
async fn a_file_that_is_wrong_at_the_start_is_told_with_all_mistakes() {
    let program = Program::with_web("basic_auth_users: {a: b}\nrate_limits: {}\n");
    let error = program.try_start().await.err().expect("wrong").to_string();
    for told in [
        "web.yml cannot be used: ",
        "`rate_limits` is not known",
        "`basic_auth_users.a` needs a bcrypt hash",
    ] {
        assert!(error.contains(told), "{error}");
    }
    let mut program = Program::default();
    let none = program.folder.path().join("none.yml");
    program.server.web_config = Some(WebSource::File(none));
    let error = program.try_start().await.err().expect("none").to_string();
    assert!(
        error.starts_with("cannot read the web configuration file "),
        "{error}"
    );
}
