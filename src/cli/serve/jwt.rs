//! The arguments of `serve` about a company's identity provider.
//!
//! They come together or not at all: a node that took tokens with half of its settings would take too
//! many. What could be guessed from a token, its algorithm above all, has to be said.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::auth::{
    ClaimPath, JwtAlgorithm, JwtSettings, KeySource, LIFETIME_MS_MAX_DEFAULT,
    REFRESH_EVERY_MS_DEFAULT, RoleRule,
};
use crate::cli::words::read_duration_ms;

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Tokens of an identity provider (JWT)")]
pub(super) struct JwtArgs {
    /// What the tokens' `iss` must say, to the letter
    #[arg(long = "jwt-issuer", env = "NEXTLEAD_JWT_ISSUER", value_name = "TEXT")]
    issuer: Option<String>,
    /// What their `aud` must say or hold
    #[arg(long = "jwt-audience", env = "NEXTLEAD_JWT_AUDIENCE", value_name = "TEXT")]
    audience: Option<String>,
    /// The one algorithm that signs them: RS256, PS256, ES256, EdDSA or a longer one of its kind
    #[arg(long = "jwt-algorithm", env = "NEXTLEAD_JWT_ALGORITHM", value_name = "NAME")]
    algorithm: Option<JwtAlgorithm>,
    /// The provider's key set (JWKS): a file, read again when it changes, or an https URL
    #[arg(long = "jwt-keys", env = "NEXTLEAD_JWT_KEYS", value_name = "FILE|URL")]
    keys: Option<KeySource>,
    /// Certificates (PEM) to trust behind that URL, in place of those that this machine trusts
    #[arg(long = "jwt-keys-ca", env = "NEXTLEAD_JWT_KEYS_CA", value_name = "FILE")]
    keys_ca: Option<PathBuf>,
    /// How often keys are fetched from the URL [default: 15m]
    #[arg(long = "jwt-keys-every", env = "NEXTLEAD_JWT_KEYS_EVERY", value_name = "DURATION",
        value_parser = read_duration_ms)]
    keys_every: Option<i64>,
    /// The claim with the bearer's roles, a text or a list: roles, realm_access.roles, … [default: roles]
    #[arg(long = "jwt-role-claim", env = "NEXTLEAD_JWT_ROLE_CLAIM", value_name = "CLAIM")]
    role_claim: Option<ClaimPath>,
    /// What a value of that claim means: rep, manager, marketing, intake or admin; of several that match,
    /// the first counts that opens the method. May be repeated, and in the environment be parted by `;`
    #[arg(
        long = "jwt-role",
        env = "NEXTLEAD_JWT_ROLE",
        value_name = "VALUE=ROLE",
        value_delimiter = ';'
    )]
    roles: Vec<RoleRule>,
    /// The claim that holds a rep's id [default: sub]
    #[arg(long = "jwt-rep-claim", env = "NEXTLEAD_JWT_REP_CLAIM", value_name = "CLAIM")]
    rep_claim: Option<ClaimPath>,
    /// The longest life of a token, from `iat` to `exp`; what lives longer is refused [default: 24h]
    #[arg(long = "jwt-lifetime-max", env = "NEXTLEAD_JWT_LIFETIME_MAX", value_name = "DURATION",
        value_parser = read_duration_ms)]
    lifetime_max: Option<i64>,
}

impl JwtArgs {
    /// The identity provider, if one was named; an error says what its settings lack.
    pub(super) fn settings(self) -> anyhow::Result<Option<JwtSettings>> {
        let is_given = [
            ("--jwt-issuer", self.issuer.is_some()),
            ("--jwt-audience", self.audience.is_some()),
            ("--jwt-algorithm", self.algorithm.is_some()),
            ("--jwt-keys", self.keys.is_some()),
            ("--jwt-role", !self.roles.is_empty()),
        ];
        let has_more = self.keys_ca.is_some()
            || self.keys_every.is_some()
            || self.role_claim.is_some()
            || self.rep_claim.is_some()
            || self.lifetime_max.is_some();
        let (Some(issuer), Some(audience), Some(algorithm), Some(keys), false) =
            (self.issuer, self.audience, self.algorithm, self.keys, self.roles.is_empty())
        else {
            let is_any = has_more || is_given.iter().any(|(_, is_given)| *is_given);
            let missing = is_given.iter().filter(|(_, is_given)| !is_given);
            let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
            ensure!(!is_any, "an identity provider also needs {}", missing.join(", "));
            return Ok(None);
        };
        ensure!(!issuer.is_empty(), "--jwt-issuer must not be empty");
        ensure!(!audience.is_empty(), "--jwt-audience must not be empty");
        let claim = |name: &str| name.parse().expect("a name without dots is a claim");
        Ok(Some(JwtSettings {
            issuer,
            audience,
            algorithm,
            keys,
            keys_ca: self.keys_ca,
            refresh_every_ms: self.keys_every.unwrap_or(REFRESH_EVERY_MS_DEFAULT),
            role_claim: self.role_claim.unwrap_or_else(|| claim("roles")),
            roles: self.roles,
            rep_claim: self.rep_claim.unwrap_or_else(|| claim("sub")),
            lifetime_ms_max: self.lifetime_max.unwrap_or(LIFETIME_MS_MAX_DEFAULT),
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::auth::Role;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        jwt: JwtArgs,
    }

    const ALL: [&str; 5] = [
        "--jwt-issuer=https://login.example.com/",
        "--jwt-audience=nextlead",
        "--jwt-algorithm=ES256",
        "--jwt-keys=https://login.example.com/keys",
        "--jwt-role=CN=sales,DC=example=rep;heads=manager",
    ];

    fn read(args: &[&str]) -> anyhow::Result<Option<JwtSettings>> {
        Command::try_parse_from([&["nextlead"], args].concat())?.jwt.settings()
    }

    #[test]
    fn a_provider_is_named_with_all_that_it_needs() {
        let settings = read(&ALL).unwrap().unwrap();
        assert_eq!(settings.roles.len(), 2);
        assert_eq!(settings.roles[0].value, "CN=sales,DC=example");
        assert_eq!(settings.roles[1].role, Role::Manager);
        assert_eq!(settings.lifetime_ms_max, LIFETIME_MS_MAX_DEFAULT);
        let more =
            read(&[&ALL[..], &["--jwt-role=all=marketing", "--jwt-lifetime-max=1h"]].concat());
        let more = more.unwrap().unwrap();
        assert_eq!((more.roles.len(), more.lifetime_ms_max), (3, 3_600_000));
        assert!(read(&[]).unwrap().is_none());
    }

    #[test]
    fn half_a_provider_is_refused_with_what_it_lacks() {
        for left_out in 0..ALL.len() {
            let mut args = ALL.to_vec();
            let name = args.remove(left_out).split_once('=').unwrap().0;
            let error = read(&args).unwrap_err().to_string();
            assert_eq!(error, format!("an identity provider also needs {name}"));
        }
        let error = read(&["--jwt-rep-claim=rep"]).unwrap_err().to_string();
        assert!(error.contains("--jwt-issuer, --jwt-audience"), "{error}");
        assert!(read(&[&ALL[1..], &["--jwt-issuer="]].concat()).is_err());
    }

    #[test]
    fn what_would_be_unsafe_is_refused() {
        for arg in [
            "--jwt-algorithm=HS256",
            "--jwt-algorithm=none",
            "--jwt-keys=http://login.example.com/keys",
            "--jwt-role=sales=root",
            "--jwt-role-claim=a..b",
        ] {
            assert!(read(&[arg]).unwrap_err().to_string().contains("must"), "{arg}");
        }
    }
}
