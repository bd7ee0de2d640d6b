//! Tokens that pass, and until when: algorithms, instants to the millisecond, roles.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::auth::{AuthError, Caller, Role};
use crate::domain::RepId;

use super::provider::{NOON, NOON_S, Provider, claims, settings, verifier_of, with, without};
use super::{
    JwtSettings, JwtVerifier, KEYS_AGE_MS_MAX, KeySource, LIFETIME_MS_MAX_DEFAULT, Refusal, is_jwt,
};

const NEXT_LEAD: &str = "/nextlead.v1.RepService/NextLead";
const LIST_REPS: &str = "/nextlead.v1.QueueService/ListReps";

#[tokio::test]
async fn every_algorithm_takes_its_own_tokens_and_no_other_s() {
    use Algorithm::{ES256, ES384, EdDSA, PS256, RS256, RS512};

    let rsa = Provider::new(RS256, "rsa");
    let as_rsa = |algorithm, kid| Provider { algorithm, kid, ..Provider::new(RS256, kid) };
    let all = [
        Provider::new(ES256, "es256"),
        Provider::new(ES384, "es384"),
        Provider::new(EdDSA, "ed"),
        as_rsa(PS256, "ps256"),
        as_rsa(RS512, "rs512"),
        rsa,
    ];
    let keys: Vec<Value> = all.iter().map(Provider::jwk).collect();
    for ours in &all {
        let verifier = verifier_of(ours.algorithm, &keys).await;
        assert_eq!(verifier.health(NOON).key_count, 1, "the others are passed over");
        for theirs in &all {
            let answer = verifier.bearer(theirs.token(&claims()).as_bytes(), NOON);
            let expected = if ours.kid == theirs.kid { None } else { Some(Refusal::Algorithm) };
            assert_eq!(answer.err(), expected, "{:?} by {:?}", theirs.algorithm, ours.algorithm);
        }
        // The right name in the header does not make a key fit.
        let alg = json!({ "alg": format!("{:?}", ours.algorithm), "kid": ours.kid }).to_string();
        for theirs in all.iter().filter(|theirs| theirs.kid != ours.kid) {
            let token = theirs.sign(&alg, claims().to_string());
            let answer = verifier.bearer(token.as_bytes(), NOON);
            assert_eq!(answer, Err(Refusal::Signature));
        }
    }
}

#[tokio::test]
async fn a_token_counts_to_the_millisecond_five_seconds_around_its_time() {
    let provider = Provider::new(Algorithm::ES256, "k1");
    let verifier = verifier_of(Algorithm::ES256, &[provider.jwk()]).await;
    let mut claims = with("nbf", NOON_S);
    claims["iat"] = NOON_S.into();
    let token = provider.token(&claims);
    let one = NOON + 3_600_000;
    for (now, answer) in [
        (NOON - 5_001, Some(Refusal::Early)),
        (NOON - 5_000, None),
        (NOON, None),
        (one, None),
        (one + 4_999, None),
        (one + 5_000, Some(Refusal::Expired)),
        (one + 5_001, Some(Refusal::Expired)),
    ] {
        assert_eq!(verifier.bearer(token.as_bytes(), now).err(), answer, "{}", now - NOON);
    }
    claims.as_object_mut().unwrap().remove("nbf");
    let token = provider.token(&claims);
    assert_eq!(verifier.bearer(token.as_bytes(), NOON - 5_001), Err(Refusal::Early), "by `iat`");
    assert!(verifier.bearer(token.as_bytes(), NOON - 5_000).is_ok());
}

#[tokio::test]
async fn a_token_may_live_a_day_and_no_longer() {
    let provider = Provider::new(Algorithm::ES256, "k1");
    let verifier = verifier_of(Algorithm::ES256, &[provider.jwk()]).await;
    let issued = NOON_S - 60;
    let day_s = LIFETIME_MS_MAX_DEFAULT / 1_000;
    assert!(verifier.bearer(provider.token(&with("exp", issued + day_s)).as_bytes(), NOON).is_ok());
    let mut unsaid = with("exp", NOON_S + day_s);
    unsaid.as_object_mut().unwrap().remove("iat");
    assert!(verifier.bearer(provider.token(&unsaid).as_bytes(), NOON).is_ok());
    let early = verifier.bearer(provider.token(&unsaid).as_bytes(), NOON - 1);
    assert_eq!(early, Err(Refusal::TooLong));
}

#[tokio::test]
async fn keys_that_were_not_seen_for_a_day_open_nothing() {
    let provider = Provider::new(Algorithm::ES256, "k1");
    let verifier = verifier_of(Algorithm::ES256, &[provider.jwk()]).await;
    let late = NOON + KEYS_AGE_MS_MAX;
    let token = |now: i64| {
        let mut claims = with("exp", now / 1_000 + 60);
        claims["iat"] = (now / 1_000).into();
        provider.token(&claims)
    };
    assert!(verifier.bearer(token(late).as_bytes(), late).is_ok());
    assert!(verifier.health(late).is_usable);
    assert_eq!(verifier.bearer(token(late).as_bytes(), late + 1), Err(Refusal::NoKeys));
    assert!(!verifier.health(late + 1).is_usable);
}

#[tokio::test]
async fn a_value_of_the_role_claim_opens_what_its_role_opens() {
    let provider = Provider::new(Algorithm::ES256, "k1");
    let verifier = verifier_of(Algorithm::ES256, &[provider.jwk()]).await;
    let ask = |roles: Value, path| {
        let token = provider.token(&with("roles", roles));
        verifier.authorize(token.as_bytes(), path, NOON).map(|admitted| admitted.caller)
    };
    let ann = || Ok(Caller { name: "ann".into(), role: Role::Rep, rep: RepId::new("ann").ok() });
    let head = || Ok(Caller { name: "jwt:ann".into(), role: Role::Manager, rep: None });
    assert_eq!(ask(json!(["x", "sales"]), NEXT_LEAD), ann());
    assert_eq!(ask(json!("sales"), NEXT_LEAD), ann());
    assert_eq!(ask(json!("sales"), LIST_REPS), Err(AuthError::Denied));
    assert_eq!(ask(json!("head of sales"), LIST_REPS), head());
    assert_eq!(ask(json!("head of sales"), NEXT_LEAD), Err(AuthError::Denied));
    let both = json!(["head of sales", "sales"]);
    assert_eq!(ask(both.clone(), NEXT_LEAD), ann());
    assert_eq!(ask(both, LIST_REPS), head());
    for none in [json!([]), json!(["Sales"]), json!(["sаles"]), json!("sales marketing"), json!("")]
    {
        assert_eq!(ask(none, NEXT_LEAD), Err(AuthError::Denied));
    }
    let nobody = provider.sign(provider.header().to_string(), without(claims(), "roles"));
    let answer = verifier.authorize(nobody.as_bytes(), NEXT_LEAD, NOON).map(|_| ());
    assert_eq!(answer, Err(AuthError::Denied));
}

#[test]
fn three_parts_make_a_token_of_a_provider() {
    assert!(is_jwt(b"a.b.c") && is_jwt(b".."));
    for other in [&b""[..], b"abc", b"a.b", b"a.b.c.d"] {
        assert!(!is_jwt(other));
    }
}

#[tokio::test]
async fn a_token_that_names_no_key_passes_if_there_is_but_one() {
    let (one, two) = (Provider::new(Algorithm::ES256, "k1"), Provider::new(Algorithm::ES256, "k2"));
    let token = one.sign(without(one.header(), "kid"), claims().to_string());
    let of_one = verifier_of(Algorithm::ES256, &[one.jwk()]).await;
    assert!(of_one.bearer(token.as_bytes(), NOON).is_ok());
    let of_both = verifier_of(Algorithm::ES256, &[one.jwk(), two.jwk()]).await;
    assert_eq!(of_both.bearer(token.as_bytes(), NOON), Err(Refusal::NoKeyNamed));
}

#[tokio::test]
async fn a_rep_is_named_by_the_claim_that_was_set_or_refused() {
    let provider = Provider::new(Algorithm::ES256, "k1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, json!({ "keys": [provider.jwk()] }).to_string()).unwrap();
    let settings = JwtSettings {
        rep_claim: "staff.number".parse().unwrap(),
        ..settings(Algorithm::ES256, KeySource::File(file))
    };
    let verifier = JwtVerifier::new(settings).unwrap();
    verifier.refresh(NOON).await.unwrap();
    let ask = |staff: Value| {
        let token = provider.token(&with("staff", staff));
        verifier.bearer(token.as_bytes(), NOON).map(|bearer| bearer.rep)
    };
    assert_eq!(ask(json!({ "number": "a-17" })), Ok(RepId::new("a-17").ok()));
    for odd in [json!({}), json!("a-17"), json!({ "number": 17 }), json!({ "number": "" })]
        .into_iter()
        .chain(["admin", "intake:crm", "jwt:ann"].map(|id| json!({ "number": id })))
    {
        assert_eq!(ask(odd), Err(Refusal::Claims("rep")));
    }
    // Who is no rep needs no such claim.
    let head = provider.token(&with("roles", "head of sales"));
    assert_eq!(verifier.bearer(head.as_bytes(), NOON).map(|bearer| bearer.rep), Ok(None));
}
