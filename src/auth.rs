//! Who calls, and what they may: a token names a caller, a role opens methods.
//!
//! There is one token so far, the admin's. It is made at the first start and lies beside the store,
//! readable by the owner of the file alone; whoever can read it could read the store as well. In
//! memory there is only its SHA-256, compared in constant time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A rep, through a softphone.
    Rep,
    /// Writes rules, sets up queues and reps.
    Manager,
    /// Reads coverage.
    Marketing,
    /// Marketing automation or a CRM.
    Intake,
    /// May everything.
    Admin,
}

use Role::{Admin, Intake, Manager, Marketing, Rep};

/// Which roles each method is open to. A method that is missing here is open to the admin alone.
pub const METHODS: &[(&str, &[Role])] = &[
    ("/nextlead.v1.RepService/NextLead", &[Rep, Admin]),
    ("/nextlead.v1.RepService/RenewLease", &[Rep, Admin]),
    ("/nextlead.v1.RepService/ReleaseLease", &[Rep, Admin]),
    ("/nextlead.v1.RepService/RecordTouch", &[Rep, Admin]),
    ("/nextlead.v1.IntakeService/UpsertCampaign", &[Intake, Admin]),
    ("/nextlead.v1.IntakeService/ListCampaigns", &[Intake, Manager, Marketing, Admin]),
    ("/nextlead.v1.IntakeService/UpsertLead", &[Intake, Admin]),
    ("/nextlead.v1.IntakeService/ImportLeads", &[Intake, Admin]),
    ("/nextlead.v1.IntakeService/SuppressContact", &[Intake, Manager, Admin]),
    ("/nextlead.v1.IntakeService/EraseLead", &[Intake, Admin]),
    ("/nextlead.v1.RulesService/CheckRules", &[Manager, Admin]),
    ("/nextlead.v1.RulesService/PublishRules", &[Manager, Admin]),
    ("/nextlead.v1.RulesService/ListRuleVersions", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/UpsertQueue", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/ListQueues", &[Manager, Marketing, Admin]),
    ("/nextlead.v1.QueueService/UpsertRep", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/ListReps", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/PeekQueue", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/ExplainLead", &[Manager, Admin]),
    ("/nextlead.v1.QueueService/TraceLead", &[Manager, Admin]),
    ("/nextlead.v1.CoverageService/GetCoverage", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/ListUncontacted", &[Marketing, Manager, Admin]),
    ("/nextlead.v1.CoverageService/AuditLedger", &[Marketing, Manager, Admin]),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &EVERY_ROLE),
];

const EVERY_ROLE: [Role; 5] = [Rep, Manager, Marketing, Intake, Admin];

/// Whether anybody may call a method, without a token: whoever watches over a node has none.
pub fn is_open_to_all(path: &str) -> bool {
    matches!(path, "/grpc.health.v1.Health/Check" | "/grpc.health.v1.Health/Watch")
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name that the ledger and rule versions show, and within which request ids count.
    pub name: String,
    /// What they are.
    pub role: Role,
}

impl Caller {
    /// Whether this caller may call a method, named by its path.
    pub fn may(&self, path: &str) -> bool {
        let roles = METHODS.iter().find(|(method, _)| *method == path).map(|(_, roles)| *roles);
        roles.unwrap_or(&[Role::Admin]).contains(&self.role)
    }
}

/// Why a call was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token, or not the right one. The two are not told apart.
    #[error("a valid token is needed, as `authorization: Bearer …`")]
    Unauthenticated,
    /// The caller's role does not open this method.
    #[error("this token's role does not open this method")]
    Denied,
}

/// Why there is no admin token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be read or made.
    #[error("could not use the token file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds no token.
    #[error("{} holds no token; delete it, and a new one is made", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The token that opens everything.
pub struct AdminToken {
    file: PathBuf,
    is_new: bool,
    hash: [u8; 32],
}

impl AdminToken {
    /// Reads the token beside a store's file, or makes it at the first start: `nextlead.db` has
    /// `nextlead.db.admin-token`.
    pub fn beside(store: &Path) -> Result<Self, TokenError> {
        let mut name = store.as_os_str().to_owned();
        name.push(".admin-token");
        let path = PathBuf::from(name);
        let (text, is_new) = match fs::read_to_string(&path) {
            Ok(text) => (text, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = make(&path);
                (made.map_err(|source| TokenError::File { path: path.clone(), source })?, true)
            }
            Err(source) => return Err(TokenError::File { path, source }),
        };
        let token = text.trim();
        if token.len() != TOKEN_LENGTH || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenError::Damaged { path });
        }
        warn_of_readers(&path);
        Ok(Self { hash: Sha256::digest(token).into(), file: path, is_new })
    }

    /// The file that holds it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether this start made it.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Tells who calls a method, by the value of the `authorization` header.
    pub fn authorize(&self, header: Option<&[u8]>, path: &str) -> Result<Caller, AuthError> {
        let token = header.and_then(bearer).ok_or(AuthError::Unauthenticated)?;
        let hash: [u8; 32] = Sha256::digest(token).into();
        if !bool::from(hash.ct_eq(&self.hash)) {
            return Err(AuthError::Unauthenticated);
        }
        let caller = Caller { name: "admin".to_owned(), role: Role::Admin };
        if caller.may(path) { Ok(caller) } else { Err(AuthError::Denied) }
    }
}

/// 256 random bits, in hexadecimal digits.
const TOKEN_LENGTH: usize = 64;

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Makes a token file. It appears whole or not at all, so a crash leaves no half of a token.
fn make(path: &Path) -> io::Result<String> {
    let mut bits = [0; TOKEN_LENGTH / 2];
    getrandom::fill(&mut bits).map_err(io::Error::other)?;
    let token: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    let draft = path.with_extension("admin-token.new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(format!("{token}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(token)
}

fn warn_of_readers(path: &Path) {
    let mode = fs::metadata(path).map(|data| data.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let path = path.display();
        tracing::warn!(%path, "others than its owner can read {path}: it opens everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT_LEAD: &str = "/nextlead.v1.RepService/NextLead";

    fn read(token: &AdminToken) -> String {
        fs::read_to_string(token.file()).unwrap().trim().to_owned()
    }

    #[test]
    fn a_token_is_made_once_and_read_back_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("nextlead.db");
        let first = AdminToken::beside(&store).unwrap();
        let second = AdminToken::beside(&store).unwrap();
        assert!(first.is_new() && !second.is_new());
        assert_eq!(first.hash, second.hash);
        assert_eq!(first.file(), folder.path().join("nextlead.db.admin-token"));
        let mode = fs::metadata(first.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1, "no draft is left");
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a.db");
        fs::write(folder.path().join("a.db.admin-token"), "").unwrap();
        assert!(matches!(AdminToken::beside(&store), Err(TokenError::Damaged { .. })));
    }

    #[test]
    fn only_the_whole_token_opens_and_no_token_looks_like_a_wrong_one() {
        let folder = tempfile::tempdir().unwrap();
        let token = AdminToken::beside(&folder.path().join("a.db")).unwrap();
        let text = read(&token);
        let ask = |header: &str| token.authorize(Some(header.as_bytes()), NEXT_LEAD);
        assert_eq!(ask(&format!("Bearer {text}")).map(|caller| caller.role), Ok(Role::Admin));
        assert_eq!(ask(&format!("bearer {text}")).map(|caller| caller.role), Ok(Role::Admin));
        let other = AdminToken::beside(&folder.path().join("b.db")).unwrap();
        let headers =
            [String::new(), text.clone(), format!("Bearer {}", &text[1..]), "Bearer ".into()];
        for header in headers.into_iter().chain([format!("Bearer {}", read(&other))]) {
            assert_eq!(ask(&header), Err(AuthError::Unauthenticated));
        }
        assert_eq!(token.authorize(None, NEXT_LEAD), Err(AuthError::Unauthenticated));
    }

    #[test]
    fn a_role_opens_its_own_methods_and_no_others() {
        let may = |role, path| Caller { name: "x".into(), role }.may(path);
        assert!(may(Role::Rep, NEXT_LEAD) && !may(Role::Marketing, NEXT_LEAD));
        assert!(!may(Role::Rep, "/nextlead.v1.RulesService/PublishRules"));
        assert!(!may(Role::Manager, "/nextlead.v1.RepService/Unheard"));
        for (path, roles) in METHODS {
            for role in EVERY_ROLE {
                assert_eq!(may(role, path), roles.contains(&role), "{path} {role:?}");
            }
            assert!(may(Role::Admin, path), "{path}");
        }
    }
}
