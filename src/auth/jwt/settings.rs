//! What a node is told about a company's identity provider, read and checked once, at the start.
//!
//! Nothing of this is ever taken from a token: not the algorithm, not the address of a key, not the
//! place of a claim. A provider that signs with several algorithms is used with one of them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use jsonwebtoken::Algorithm;
use reqwest::Url;
use serde_json::Value;

use crate::auth::Role;

/// How long a token may live unless the node is told otherwise.
pub const LIFETIME_MS_MAX_DEFAULT: i64 = 24 * 3_600_000;
/// How often keys are fetched from a URL unless the node is told otherwise.
pub const REFRESH_EVERY_MS_DEFAULT: i64 = 15 * 60_000;

/// The identity provider whose tokens a node takes.
#[derive(Clone, Debug)]
pub struct JwtSettings {
    /// What `iss` must say, to the letter.
    pub issuer: String,
    /// What `aud` must say, or hold if it is a list.
    pub audience: String,
    /// The one algorithm that signs.
    pub algorithm: JwtAlgorithm,
    /// Where the provider's public keys are.
    pub keys: KeySource,
    /// Whom to trust behind an `https` URL; `None`: those whom this machine trusts.
    pub keys_ca: Option<PathBuf>,
    /// How often keys are fetched from a URL, in milliseconds. A file is looked at every few seconds.
    pub refresh_every_ms: i64,
    /// Where a token says what its bearer is: a text, or a list of texts.
    pub role_claim: ClaimPath,
    /// What the values of that claim mean. The first that a token carries and that opens the method counts.
    pub roles: Vec<RoleRule>,
    /// Where a rep's token says which rep.
    pub rep_claim: ClaimPath,
    /// The longest life of a token, from `iat` to `exp`, in milliseconds.
    pub lifetime_ms_max: i64,
}

/// An algorithm that signs with a private key and is checked with a public one. Those with a shared
/// secret are absent on purpose: whoever can check such a token can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwtAlgorithm(pub(super) Algorithm);

/// Why a setting makes no sense; said at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtProblem {
    /// Not an algorithm, or one with a shared secret.
    #[error("must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA")]
    Algorithm,
    /// Not a file, nor a safe URL.
    #[error(
        "must be a file, an https:// URL, or an http:// URL of a loopback address, without a user"
    )]
    Keys,
    /// No claim.
    #[error(
        "must name a claim: roles, realm_access.roles, https://a.name/roles or /a/json.pointer"
    )]
    Claim,
    /// Not VALUE=ROLE.
    #[error("must be VALUE=ROLE, with a role of rep, manager, marketing, intake, admin")]
    Role,
}

impl FromStr for JwtAlgorithm {
    type Err = JwtProblem;

    fn from_str(text: &str) -> Result<Self, JwtProblem> {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};

        [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]
            .into_iter()
            .find(|one| name(*one) == text)
            .map(Self)
            .ok_or(JwtProblem::Algorithm)
    }
}

impl JwtAlgorithm {
    /// Its name in a token's header.
    pub fn name(self) -> &'static str {
        name(self.0)
    }
}

fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::RS384 => "RS384",
        Algorithm::RS512 => "RS512",
        Algorithm::PS256 => "PS256",
        Algorithm::PS384 => "PS384",
        Algorithm::PS512 => "PS512",
        Algorithm::ES256 => "ES256",
        Algorithm::ES384 => "ES384",
        Algorithm::EdDSA => "EdDSA",
        // Those with a shared secret, which no setting holds.
        _ => "",
    }
}

/// Where a key set lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file, read again when it changes.
    File(PathBuf),
    /// Behind a URL, fetched now and then.
    Url(Url),
}

impl FromStr for KeySource {
    type Err = JwtProblem;

    fn from_str(text: &str) -> Result<Self, JwtProblem> {
        if !text.contains("://") {
            let is_path = !text.is_empty() && !text.contains('\0');
            return if is_path { Ok(Self::File(text.into())) } else { Err(JwtProblem::Keys) };
        }
        let url = Url::parse(text).map_err(|_| JwtProblem::Keys)?;
        let is_safe = match url.scheme() {
            "https" => url.host().is_some(),
            "http" => is_loopback(&url),
            _ => false,
        };
        // A secret in a URL ends in logs and process lists.
        let has_user = !url.username().is_empty() || url.password().is_some();
        if is_safe && !has_user { Ok(Self::Url(url)) } else { Err(JwtProblem::Keys) }
    }
}

/// Whether a URL names a loopback address by its digits: a name could be resolved to anything.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The place of a claim: names, from the outside in.
///
/// `roles` is a claim, `realm_access.roles` a claim within a claim. A text with `://` is one name as it
/// stands, as some providers call their claims by URLs; one that begins with `/` is a JSON pointer, for
/// names with dots in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl FromStr for ClaimPath {
    type Err = JwtProblem;

    fn from_str(text: &str) -> Result<Self, JwtProblem> {
        let names: Vec<String> = if let Some(pointer) = text.strip_prefix('/') {
            pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
        } else if text.contains("://") {
            vec![text.to_owned()]
        } else {
            text.split('.').map(str::to_owned).collect()
        };
        if names.iter().any(String::is_empty) { Err(JwtProblem::Claim) } else { Ok(Self(names)) }
    }
}

impl ClaimPath {
    /// What stands there.
    pub(super) fn find<'a>(&self, claims: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(claims, |within, name| within.as_object()?.get(name))
    }
}

/// One value of the role claim and the role that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRule {
    /// The value, to the letter.
    pub value: String,
    /// The role.
    pub role: Role,
}

impl FromStr for RoleRule {
    type Err = JwtProblem;

    /// Reads `VALUE=ROLE`. The value may hold a `=` itself, as names in a directory do.
    fn from_str(text: &str) -> Result<Self, JwtProblem> {
        let (value, role) = text.rsplit_once('=').ok_or(JwtProblem::Role)?;
        let role = match role {
            "rep" => Role::Rep,
            "manager" => Role::Manager,
            "marketing" => Role::Marketing,
            "intake" => Role::Intake,
            "admin" => Role::Admin,
            _ => return Err(JwtProblem::Role),
        };
        if value.is_empty() {
            Err(JwtProblem::Role)
        } else {
            Ok(Self { value: value.to_owned(), role })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_algorithms_with_a_public_key_are_taken() {
        for text in ["RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"] {
            assert_eq!(text.parse::<JwtAlgorithm>().map(JwtAlgorithm::name), Ok(text));
        }
        for text in ["HS256", "HS384", "HS512", "none", "", "rs256", "ES512", "RS256,HS256"] {
            assert_eq!(text.parse::<JwtAlgorithm>(), Err(JwtProblem::Algorithm), "{text}");
        }
    }

    #[test]
    fn keys_come_from_a_file_or_over_tls_or_from_this_machine() {
        for text in ["keys.json", "/etc/nextlead/keys.json"] {
            assert_eq!(text.parse(), Ok(KeySource::File(text.into())));
        }
        for text in [
            "https://login.example.com/keys?v=2",
            "http://127.0.0.1:8080/keys",
            "http://[::1]/keys",
        ] {
            assert!(matches!(text.parse(), Ok(KeySource::Url(_))), "{text}");
        }
        for text in [
            "",
            "http://login.example.com/keys",
            "http://localhost/keys",
            "http://127.0.0.1.example.com/keys",
            "http://10.0.0.1/keys",
            "http://0.0.0.0/keys",
            "http://169.254.169.254/latest",
            "http://[::ffff:10.0.0.1]/keys",
            "http://user@127.0.0.1/keys",
            "https://user:secret@login.example.com/keys",
            "ftp://login.example.com/keys",
            "file:///etc/passwd",
            "https://",
        ] {
            assert_eq!(text.parse::<KeySource>(), Err(JwtProblem::Keys), "{text}");
        }
    }

    #[test]
    fn a_claim_is_found_by_its_names_from_the_outside_in() {
        let claims = json!({
            "roles": 1,
            "realm_access": { "roles": 2 },
            "https://a.name/roles": 3,
            "apps": { "next.lead": { "roles": 4 } },
        });
        for (path, found) in [
            ("roles", Some(1)),
            ("realm_access.roles", Some(2)),
            ("https://a.name/roles", Some(3)),
            ("/apps/next.lead/roles", Some(4)),
            ("/https:~1~1a.name~1roles", Some(3)),
            ("apps.next.lead.roles", None),
            ("roles.more", None),
        ] {
            let path: ClaimPath = path.parse().unwrap();
            assert_eq!(path.find(&claims).and_then(Value::as_i64), found, "{path:?}");
        }
        for text in ["", ".", "a..b", "a.", "/", "/a//b"] {
            assert_eq!(text.parse::<ClaimPath>(), Err(JwtProblem::Claim), "{text}");
        }
    }

    #[test]
    fn a_value_may_be_a_name_in_a_directory() {
        let rule: RoleRule = "CN=sales,DC=example=rep".parse().unwrap();
        assert_eq!(rule, RoleRule { value: "CN=sales,DC=example".into(), role: Role::Rep });
        for text in ["", "rep", "=rep", "sales=", "sales=Rep", "sales=root"] {
            assert_eq!(text.parse::<RoleRule>(), Err(JwtProblem::Role), "{text}");
        }
    }
}
