//! Tokens that must not pass: each is refused for its own reason, and all look the same from outside.

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::auth::AuthError;

use super::provider::{
    AUDIENCE, ISSUER, NOON, NOON_S, Provider, claims, verifier_of, with, without,
};
use super::{JwtVerifier, LIFETIME_MS_MAX_DEFAULT, Refusal, base64};

const NEXT_LEAD: &str = "/nextlead.v1.RepService/NextLead";

type Mutant = (&'static str, String, Refusal);

fn with_header(provider: &Provider, name: &str, value: impl Into<Value>) -> String {
    let mut header = provider.header();
    header[name] = value.into();
    provider.sign(header.to_string(), claims().to_string())
}

/// A token signed with a secret: the text of a public key, say.
fn signed_with_secret(header: &Value, secret: &[u8]) -> String {
    let message =
        format!("{}.{}", base64::encode(header.to_string()), base64::encode(claims().to_string()));
    let key = EncodingKey::from_secret(secret);
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn algorithms(provider: &Provider) -> Vec<Mutant> {
    use Refusal::{Algorithm, Header};

    let good = provider.token(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (_, body) = message.split_once('.').unwrap();
    let mut mutants = Vec::new();
    for alg in
        ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES384", "es256", "ES256 ", "ЕS256"]
    {
        mutants.push(("another algorithm", with_header(provider, "alg", alg), Algorithm));
        let header = base64::encode(json!({ "alg": alg, "kid": provider.kid }).to_string());
        mutants.push(("unsigned", format!("{header}.{body}."), Algorithm));
        mutants.push(("an old signature", format!("{header}.{body}.{signature}"), Algorithm));
    }
    for alg in [Value::Null, json!(256), json!(["ES256"]), json!({ "ES256": true }), json!(true)] {
        mutants.push((
            "an algorithm of another type",
            with_header(provider, "alg", alg),
            Algorithm,
        ));
    }
    let none = without(provider.header(), "alg");
    mutants.push(("no algorithm", provider.sign(none, claims().to_string()), Algorithm));
    for header in [r#"{"alg":"none","alg":"ES256"}"#, r#"{"alg":"ES256","\u0061lg":"none"}"#] {
        mutants.push(("two algorithms", provider.sign(header, claims().to_string()), Header));
    }
    let jwk = provider.jwk();
    let x = base64::decode(jwk["x"].as_str().unwrap()).unwrap();
    let header = json!({ "alg": "HS256", "typ": "JWT", "kid": provider.kid });
    for secret in [jwk.to_string().into_bytes(), x.clone(), [vec![4], x].concat()] {
        mutants.push((
            "the public key as a secret",
            signed_with_secret(&header, &secret),
            Algorithm,
        ));
        let header = provider.header();
        let token = signed_with_secret(&header, &secret);
        mutants.push(("the same, under another name", token, Refusal::Signature));
    }
    mutants
}

fn signatures(provider: &Provider, stranger: &Provider) -> Vec<Mutant> {
    let good = provider.token(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let bytes = base64::decode(signature).unwrap();
    let mut flipped = bytes.clone();
    flipped[40] ^= 1;
    let zeros = base64::encode([0; 64]);
    let other = provider.token(&with("sub", "bob"));
    let (_, of_other) = other.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let raised = base64::encode(with("roles", json!(["head of sales"])).to_string());
    let forged = [
        ("no signature", format!("{message}.")),
        ("a signature of zeros", format!("{message}.{zeros}")),
        ("a signature cut short", format!("{message}.{}", base64::encode(&bytes[..63]))),
        (
            "a signature made longer",
            format!("{message}.{}", base64::encode([&bytes[..], &[0]].concat())),
        ),
        ("a bit flipped", format!("{message}.{}", base64::encode(&flipped))),
        ("a padded signature", format!("{message}.{signature}==")),
        ("a signature in other digits", format!("{message}.{}+/", &signature[2..])),
        ("the signature of another token", format!("{message}.{of_other}")),
        ("other claims under a signature", format!("{header}.{raised}.{signature}")),
        ("a stranger's key", stranger.sign(provider.header().to_string(), claims().to_string())),
        ("a stranger's key, sent along", {
            let mut header = provider.header();
            header["jwk"] = stranger.jwk();
            header["jku"] = "http://127.0.0.1:1/keys".into();
            header["x5u"] = "http://127.0.0.1:1/cert".into();
            stranger.sign(header.to_string(), claims().to_string())
        }),
    ];
    forged.into_iter().map(|(name, token)| (name, token, Refusal::Signature)).collect()
}

fn headers(provider: &Provider, stranger: &Provider) -> Vec<Mutant> {
    use Refusal::{Header, Kind, NoKeyNamed, UnknownKey};

    let mut mutants = vec![
        ("a stranger", stranger.token(&claims()), UnknownKey),
        (
            "no key named",
            provider.sign(without(provider.header(), "kid"), claims().to_string()),
            NoKeyNamed,
        ),
    ];
    for kid in [
        "",
        "../../../../dev/null",
        "/etc/passwd",
        "' OR 1=1 --",
        "a' UNION SELECT 'k",
        "k1\0",
        " k1",
        "К1",
        "|id",
        "http://127.0.0.1:1/",
    ] {
        mutants.push(("an unknown key", with_header(provider, "kid", kid), UnknownKey));
    }
    mutants.push(("a long key name", with_header(provider, "kid", "k".repeat(3_000)), UnknownKey));
    for kid in [Value::Null, json!(1), json!(["k1"]), json!({ "k1": 1 })] {
        mutants.push(("a key name of another type", with_header(provider, "kid", kid), Header));
    }
    for typ in ["JWE", "logout+jwt", "dpop+jwt", "secevent+jwt", "", "JWT "] {
        mutants.push(("another kind", with_header(provider, "typ", typ), Kind));
    }
    mutants.push(("a kind of another type", with_header(provider, "typ", 1), Kind));
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
    ] {
        mutants.push(("what must be understood", with_header(provider, name, value), Header));
    }
    for header in ["", "[]", "\"ES256\"", "null", "{", "{}{}", "\u{feff}{}"] {
        let refusal = if matches!(header, "{}") { Refusal::Algorithm } else { Header };
        mutants.push(("no header", provider.sign(header, claims().to_string()), refusal));
    }
    mutants
}

fn instants(provider: &Provider) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let odd = || {
        [
            json!((NOON_S + 3_600).to_string()),
            json!(NOON_S as f64 + 3_600.0),
            json!(NOON_S as f64 + 0.5),
            json!(-1),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e300),
            json!(253_402_300_800_i64),
            json!(NOON_S * 1_000),
            json!(true),
            json!([NOON_S + 3_600]),
            Value::Null,
        ]
    };
    for name in ["exp", "nbf", "iat"] {
        for value in odd() {
            let token = provider.token(&with(name, value));
            mutants.push(("an odd instant", token, Refusal::Claims(name)));
        }
    }
    let huge = claims().to_string().replace(&(NOON_S + 3_600).to_string(), &"9".repeat(400));
    mutants.push((
        "a number of 400 digits",
        provider.sign(provider.header().to_string(), huge),
        Refusal::Claims("set"),
    ));
    for (name, claim, value, refusal) in [
        ("expired", "exp", NOON_S - 5, Refusal::Expired),
        ("expired long ago", "exp", 0, Refusal::Expired),
        ("not yet", "nbf", NOON_S + 6, Refusal::Early),
        ("issued later", "iat", NOON_S + 6, Refusal::Early),
        (
            "lives too long",
            "exp",
            NOON_S - 60 + LIFETIME_MS_MAX_DEFAULT / 1_000 + 1,
            Refusal::TooLong,
        ),
        ("is as old as the world", "iat", 0, Refusal::TooLong),
    ] {
        mutants.push((name, provider.token(&with(claim, value)), refusal));
    }
    let mut endless = with("exp", NOON_S + LIFETIME_MS_MAX_DEFAULT / 1_000 + 1);
    endless.as_object_mut().unwrap().remove("iat");
    mutants.push(("lives too long, unsaid", provider.token(&endless), Refusal::TooLong));
    mutants
}

fn parties(provider: &Provider) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for issuer in [
        "",
        "https://login.example.com",
        "https://login.example.com//",
        "HTTPS://LOGIN.EXAMPLE.COM/",
        "https://login.exаmple.com/",
        " https://login.example.com/",
        "https://login.example.com/\0",
        "https://evil.example.com/",
    ] {
        mutants.push(("another issuer", provider.token(&with("iss", issuer)), Refusal::Issuer));
    }
    for issuer in [json!([ISSUER]), json!({ "iss": ISSUER }), Value::Null, json!(1)] {
        mutants.push((
            "an issuer of another type",
            provider.token(&with("iss", issuer)),
            Refusal::Issuer,
        ));
    }
    for audience in [
        json!(""),
        json!("nextlead2"),
        json!("next"),
        json!("Nextlead"),
        json!("nехtlead"),
        json!("nextlead crm"),
        json!("nextlead\0"),
        json!([]),
        json!(["crm"]),
        json!([["nextlead"]]),
        json!([AUDIENCE, 5]),
        json!({ "nextlead": true }),
        json!(5),
        Value::Null,
    ] {
        mutants.push((
            "another audience",
            provider.token(&with("aud", audience)),
            Refusal::Audience,
        ));
    }
    for subject in [
        json!(""),
        json!(" ann"),
        json!("an\nn"),
        json!("ann\0"),
        json!("x".repeat(129)),
        json!("\u{202e}nna"),
        json!(7),
        json!(["ann"]),
        Value::Null,
    ] {
        mutants.push((
            "an odd subject",
            provider.token(&with("sub", subject)),
            Refusal::Claims("sub"),
        ));
    }
    for roles in [
        json!(5),
        json!({ "sales": true }),
        json!([1]),
        json!([["sales"]]),
        json!(["sales", null]),
        Value::Null,
    ] {
        mutants.push(("odd roles", provider.token(&with("roles", roles)), Refusal::Claims("role")));
    }
    for (name, refusal) in [
        ("exp", Refusal::Claims("exp")),
        ("iss", Refusal::Issuer),
        ("aud", Refusal::Audience),
        ("sub", Refusal::Claims("sub")),
    ] {
        let token = provider.sign(provider.header().to_string(), without(claims(), name));
        mutants.push(("a claim is missing", token, refusal));
        let (value, text) = (&claims()[name], claims().to_string());
        for second in [value.to_string(), "null".into(), "\"x\"".into()] {
            let twice = format!("{},\"{name}\":{second}}}", text.strip_suffix('}').unwrap());
            let token = provider.sign(provider.header().to_string(), twice);
            mutants.push(("a claim stands there twice", token, Refusal::Claims("set")));
        }
    }
    mutants
}

fn shapes(provider: &Provider) -> Vec<Mutant> {
    use Refusal::{Length, Shape};

    let good = provider.token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let (header, body, signature) = (parts[0], parts[1], parts[2]);
    let mut mutants: Vec<Mutant> = [
        "",
        ".",
        "...",
        header,
        &format!("{header}.{body}"),
        &format!("{good}.{signature}"),
        &format!("{good}.."),
        &format!(".{good}"),
        &format!("{header}..{body}.{signature}"),
        &format!(" {good}"),
        &format!("{header}=.{body}.{signature}"),
        &format!("{header}\n.{body}.{signature}"),
        &good.replace('.', "%2E"),
        &good.replace('.', "．"),
        &format!("{good}, {good}"),
        &json!({ "payload": body, "signatures": [] }).to_string(),
        "\0.\0.\0",
        "ключ.от.двери",
    ]
    .into_iter()
    .map(|text| ("another shape", text.to_owned(), Shape))
    .collect();
    mutants.push(("three empty parts", "..".to_owned(), Refusal::Header));
    for (name, token) in [
        ("a space behind", format!("{good} ")),
        ("a line behind", format!("{good}\n")),
        ("a space within", format!("{header}.{body} .{signature}")),
    ] {
        mutants.push((name, token, Refusal::Signature));
    }
    mutants.push(("8 KiB and a byte", format!("{good}{}", "A".repeat(8_193 - good.len())), Length));
    mutants.push(("a megabyte", provider.token(&with("note", "x".repeat(1_000_000))), Length));
    mutants.push(("a megabyte of dots", ".".repeat(1_000_000), Length));
    let header = provider.header().to_string();
    for claims in [&b""[..], b"[]", b"7", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", &[b'['; 3_000]] {
        let refusal = if matches!(claims, b"[]" | b"7") { "is no object" } else { "set" };
        mutants.push(("no claims", provider.sign(&header, claims), Refusal::Claims(refusal)));
    }
    let more = format!("{}{{}}", claims());
    mutants.push(("more behind the claims", provider.sign(&header, more), Refusal::Claims("set")));
    mutants
}

fn check(verifier: &JwtVerifier, (name, token, refusal): &Mutant) {
    let why = verifier.bearer(token.as_bytes(), NOON).unwrap_err();
    let shown: String = token.chars().take(400).collect();
    assert_eq!(why, *refusal, "{name}: {shown}");
    let answer = verifier.authorize(token.as_bytes(), NEXT_LEAD, NOON).map(|_| ());
    assert_eq!(answer, Err(AuthError::Unauthenticated), "{name}");
}

#[tokio::test]
async fn no_forged_or_stale_token_passes_and_all_are_answered_alike() {
    let provider = Provider::new(Algorithm::ES256, "k1");
    let second = Provider::new(Algorithm::ES256, "k2");
    let stranger = Provider::new(Algorithm::ES256, "evil");
    let verifier = verifier_of(Algorithm::ES256, &[provider.jwk(), second.jwk()]).await;
    let pass = |provider: &Provider| verifier.bearer(provider.token(&claims()).as_bytes(), NOON);
    assert!(pass(&provider).is_ok() && pass(&second).is_ok());

    let mut count = 0;
    for mutants in [
        algorithms(&provider),
        signatures(&provider, &stranger),
        headers(&provider, &stranger),
        instants(&provider),
        parties(&provider),
        shapes(&provider),
    ] {
        mutants.iter().for_each(|mutant| check(&verifier, mutant));
        count += mutants.len();
    }

    eprintln!("{count} forged or stale tokens were refused");
    assert!(count >= 200, "{count}");
}

#[tokio::test]
async fn a_token_that_lacks_or_changes_any_character_does_not_pass() {
    let provider = Provider::new(Algorithm::EdDSA, "k1");
    let verifier = verifier_of(Algorithm::EdDSA, &[provider.jwk()]).await;
    let good = provider.token(&claims());
    assert!(verifier.bearer(good.as_bytes(), NOON).is_ok());
    for at in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(verifier.bearer(&changed, NOON).is_err(), "changed at {at}");
        assert!(verifier.bearer(&good.as_bytes()[..at], NOON).is_err(), "cut at {at}");
        changed.remove(at);
        assert!(verifier.bearer(&changed, NOON).is_err(), "without {at}");
    }
}
