//! The secret of `--dev`: made once, and kept beside the data file so that links survive a restart.
//!
//! Owns that file. Must not be used outside `--dev`. Key invariant: the file is readable by its owner only,
//! from the moment it exists, and one that is there is never replaced.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::jwt::Secret;
use crate::limits;

/// Reads the secret at `path`, or makes one there.
///
/// The secret is the file's text without the line end, so that it can be given to other tools as it stands.
///
/// # Errors
/// The file cannot be read or made, or holds less than a secret (`InvalidData`): then it should be deleted.
pub fn load_or_create(path: &Path) -> io::Result<Secret> {
    match create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load(path),
        created => created,
    }
}

/// Reads the secret at `path`, where a server with `--dev` made it: another would sign what that server
/// refuses.
///
/// # Errors
/// As for [`load_or_create`]; `NotFound` where there is none.
pub fn load(path: &Path) -> io::Result<Secret> {
    let text = fs::read_to_string(path)?;
    let text = text.trim_end();
    if text.len() < limits::SECRET_BYTES_MIN {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file holds no whole secret; delete it",
        ));
    }
    Ok(Secret::new(text.as_bytes()))
}

fn create(path: &Path) -> io::Result<Secret> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut random = [0; limits::SECRET_BYTES_MIN];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let text = URL_SAFE_NO_PAD.encode(random);
    file.write_all(format!("{text}\n").as_bytes())?;
    file.sync_all()?;
    Ok(Secret::new(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_is_its_owners_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("boardwire.redb.secret");
        let made = load_or_create(&path).unwrap();
        assert_eq!(load_or_create(&path).unwrap(), made);
        assert_eq!(load(&path).unwrap(), made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let missing = directory.path().join("missing.secret");
        assert_eq!(load(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!missing.exists(), "reading makes none");
        let other = load_or_create(&directory.path().join("other.secret")).unwrap();
        assert_ne!(other, made);
    }

    #[test]
    fn a_file_that_holds_no_secret_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        fs::write(&path, "short\n").unwrap();
        assert_eq!(
            load_or_create(&path).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "short\n");
        let missing = directory.path().join("no").join("s");
        assert_eq!(
            load_or_create(&missing).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
