use crate::client::{get, get_as, seeded, try_get};
use sentry_sandbox::{
    EXPIRED_TOKEN, INTEGRATION_TOKEN, NARROW_TOKEN, ORGANIZATION_TOKEN, SSO_TOKEN, TEAMLESS_TOKEN,
};

#[test]
fn a_token_is_missing_wrong_old_or_behind_sso() {
    let sandbox = seeded();
    let path = "/organizations/acme/";
    let missing = try_get(&sandbox, None, path).expect("an answer");
    assert_eq!(missing.status, 401);
    assert_eq!(
        missing.detail(),
        "Authentication credentials were not provided."
    );
    for (token, detail) in [
        ("nonsense", "Invalid token"),
        (EXPIRED_TOKEN, "Token expired"),
    ] {
        let answer = get_as(&sandbox, token, path);
        assert_eq!((answer.status, answer.detail().as_str()), (401, detail));
    }
    let sso = get_as(&sandbox, SSO_TOKEN, path);
    assert_eq!(sso.status, 401);
    assert_eq!(sso.json()["detail"]["code"], "sso-required");
}

#[test]
fn a_scope_that_is_missing_is_a_403() {
    let sandbox = seeded();
    assert_eq!(
        get_as(&sandbox, NARROW_TOKEN, "/organizations/acme/").status,
        200
    );
    for path in [
        "/organizations/acme/issues/",
        "/organizations/acme/members/",
    ] {
        let answer = get_as(&sandbox, NARROW_TOKEN, path);
        assert_eq!(answer.status, 403);
        assert_eq!(
            answer.detail(),
            "You do not have permission to perform this action."
        );
    }
}

#[test]
fn an_organization_token_reads_releases_and_little_else() {
    let sandbox = seeded();
    let status = |path: &str| get_as(&sandbox, ORGANIZATION_TOKEN, path).status;
    assert_eq!(status("/organizations/acme/releases/"), 200);
    assert_eq!(status("/organizations/acme/projects/"), 403);
    assert_eq!(status("/organizations/acme/issues/"), 403);
}

#[test]
fn an_integration_is_in_no_organization_and_sees_all_projects() {
    let sandbox = seeded();
    let list = get_as(&sandbox, INTEGRATION_TOKEN, "/organizations/");
    assert!(list.rows().is_empty());
    assert_eq!(get(&sandbox, "/organizations/").rows().len(), 1);
    let rows = get_as(
        &sandbox,
        INTEGRATION_TOKEN,
        "/organizations/acme/issues/?query=&project=5",
    )
    .rows();
    assert!(!rows.is_empty());
}

#[test]
fn somebody_without_a_team_sees_an_empty_list_and_no_error() {
    let sandbox = seeded();
    let list = get_as(
        &sandbox,
        TEAMLESS_TOKEN,
        "/organizations/acme/issues/?query=",
    );
    assert!(list.rows().is_empty());
    assert!(list.header("link").is_none());
    // Membership is open, so asking for all of them helps; closed, nothing does.
    let all = "/organizations/acme/issues/?query=&project=-1";
    assert!(!get_as(&sandbox, TEAMLESS_TOKEN, all).rows().is_empty());
    sandbox.world().organizations[0].open_membership = false;
    assert!(get_as(&sandbox, TEAMLESS_TOKEN, all).rows().is_empty());
    assert_eq!(
        get_as(&sandbox, TEAMLESS_TOKEN, "/projects/acme/api/").status,
        403
    );
}
