//! Which configuration file holds: the one that was named, or else the first that is there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Problem;

/// The file's name, wherever it lies.
const NAME: &str = "nextlead.toml";
/// Where a file for all users of a machine lies.
const MACHINE_FILE: &str = "/etc/nextlead/nextlead.toml";

/// The file to read. `named` comes from the flag or its variable, and must be there; an empty name
/// means none at all.
pub(super) fn locate(named: Option<&OsString>) -> Result<Option<PathBuf>, Problem> {
    match named {
        Some(named) if named.is_empty() => return Ok(None),
        Some(named) => return Ok(Some(named.into())),
        None => {}
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let places = places(variable("XDG_CONFIG_HOME"), variable("HOME"));
    let Some(found) = places.into_iter().find(|path| path.is_file()) else { return Ok(None) };
    if found == Path::new(NAME) {
        check_owner(&found)?;
    }
    Ok(Some(found))
}

/// Where a file is looked for, in this order.
fn places(config_home: Option<OsString>, home: Option<OsString>) -> Vec<PathBuf> {
    let of_user = match (config_home, home) {
        (Some(config_home), _) => Some(PathBuf::from(config_home)),
        (None, Some(home)) => Some(Path::new(&home).join(".config")),
        (None, None) => None,
    };
    let of_user = of_user.map(|folder| folder.join("nextlead").join(NAME));
    [Some(NAME.into()), of_user, Some(MACHINE_FILE.into())].into_iter().flatten().collect()
}

/// A file that lies in the working directory was not named by anyone. It can send the token to
/// another server, so it only holds if nobody else could have put it there.
#[cfg(unix)]
fn check_owner(path: &Path) -> Result<(), Problem> {
    use std::os::unix::fs::MetadataExt as _;

    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    let own = rustix::process::geteuid().as_raw();
    if is_trusted(metadata.uid(), metadata.mode(), own) {
        return Ok(());
    }
    Err(Problem::Foreign { path: path.to_owned() })
}

#[cfg(not(unix))]
fn check_owner(_: &Path) -> Result<(), Problem> {
    Ok(())
}

/// Whether only this user, or root, can have written a file.
#[cfg(unix)]
fn is_trusted(owner: u32, mode: u32, own: u32) -> bool {
    const WRITABLE_BY_ALL: u32 = 0o002;
    (owner == own || owner == 0) && mode & WRITABLE_BY_ALL == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_directory_goes_first_and_the_machine_last() {
        let shown = |config_home: Option<&str>, home: Option<&str>| {
            let places = places(config_home.map(Into::into), home.map(Into::into));
            places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        let (here, machine) = ("nextlead.toml", "/etc/nextlead/nextlead.toml");
        assert_eq!(shown(Some("/x"), Some("/h")), [here, "/x/nextlead/nextlead.toml", machine]);
        assert_eq!(shown(None, Some("/h")), [here, "/h/.config/nextlead/nextlead.toml", machine]);
        assert_eq!(shown(None, None), [here, machine]);
    }

    #[test]
    fn an_empty_name_means_no_file() {
        assert!(matches!(locate(Some(&OsString::new())), Ok(None)));
    }

    #[test]
    fn a_file_that_others_could_have_put_there_is_not_trusted() {
        assert!(is_trusted(1000, 0o664, 1000) && is_trusted(0, 0o644, 1000));
        assert!(!is_trusted(1001, 0o644, 1000) && !is_trusted(1000, 0o666, 1000));
    }
}
