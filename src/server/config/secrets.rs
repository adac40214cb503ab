//! Files of the operator: that of settings, and those that hold one secret each.
//!
//! Owns how they are read. Must not know what a secret is for. Key invariants: no more of a file is read than
//! its bound; no text of it is in an error. Tests are below, and in `sources.rs`.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::wrong::ConfigError;
use crate::limits;

/// What a file holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// All of it, or one byte more than was asked for.
    pub bytes: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
}

impl Held {
    /// Whether everybody on this machine may read or change it.
    pub(super) fn is_exposed(&self) -> bool {
        self.mode & 0o007 != 0
    }
}

/// Where files are read from.
pub trait Files {
    /// Reads a file, up to one byte more than `bytes_max`.
    ///
    /// # Errors
    /// As the system has them.
    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Held>;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, bytes_max: usize) -> io::Result<Held> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut bytes = Vec::new();
        let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut bytes)?;
        // What is no file, such as a pipe or /dev/null, keeps nothing that others could read.
        let mode = match metadata.is_file() {
            true => metadata.permissions().mode(),
            false => 0,
        };
        Ok(Held { bytes, mode })
    }
}

/// No file at all: for who has given everything.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &Path, _bytes_max: usize) -> io::Result<Held> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// What is expected of a file with a secret.
pub(super) const SECRET_FILE: &str = "a file that this user may read, and that holds the secret alone";

/// The secret that a file holds: all of it but one line break at its end.
///
/// # Errors
/// It is too large, or no text; `name` is that of the setting.
pub(super) fn secret(name: &str, path: &Path, held: &Held) -> Result<String, ConfigError> {
    let wrong = |what: &str, expected: String| {
        let what = format!("--{name} (from the file {}) {what}", path.display());
        ConfigError::form(what, expected)
    };
    if held.bytes.len() > limits::SECRET_FILE_BYTES_MAX {
        let most = limits::SECRET_FILE_BYTES_MAX / 1024;
        let expected = format!("a file of at most {most} KiB that holds the secret alone");
        return Err(wrong("is too large", expected));
    }
    let text = str::from_utf8(&held.bytes).map_err(|_| wrong("is no text", "text in UTF-8".to_owned()))?;
    let text = text
        .strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .unwrap_or(text);
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(bytes: &[u8]) -> Held {
        Held {
            bytes: bytes.to_vec(),
            mode: 0o600,
        }
    }

    fn read(bytes: &[u8]) -> Result<String, String> {
        secret("redis", Path::new("/s"), &held(bytes)).map_err(|error| error.to_string())
    }

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_a_secret() {
        for (bytes, text) in [
            ("s", "s"),
            ("s\n", "s"),
            ("s\r\n", "s"),
            ("s\n\n", "s\n"),
            (" s \n", " s "),
            ("", ""),
            ("\n", ""),
            ("a\nb", "a\nb"),
        ] {
            assert_eq!(read(bytes.as_bytes()).as_deref(), Ok(text), "{bytes:?}");
        }
    }

    #[test]
    fn a_secret_is_read_up_to_its_bound_and_must_be_text() {
        let most = limits::SECRET_FILE_BYTES_MAX;
        for bytes in [most - 1, most] {
            assert_eq!(read(&vec![b's'; bytes]).unwrap().len(), bytes);
        }
        let line = read(&vec![b's'; most + 1]).expect_err("one more");
        assert_eq!(
            line,
            "--redis (from the file /s) is too large; expected a file of at most 64 KiB that holds the secret alone"
        );
        let line = read(b"geheim\xff").expect_err("no text");
        assert_eq!(
            line,
            "--redis (from the file /s) is no text; expected text in UTF-8"
        );
    }

    #[test]
    fn no_more_of_a_file_is_read_than_one_byte_past_its_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        std::fs::write(&path, [b's'; 10]).unwrap();
        for (most, read) in [(8, 9), (9, 10), (10, 10), (11, 10)] {
            assert_eq!(Disk.read(&path, most).unwrap().bytes.len(), read);
        }
        for (mode, is_exposed) in [(0o600, false), (0o640, false), (0o644, true), (0o602, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Disk.read(&path, 10).unwrap().is_exposed(), is_exposed, "{mode:o}");
        }
        assert!(!Disk.read(Path::new("/dev/null"), 10).unwrap().is_exposed());
        assert!(Disk.read(directory.path(), 10).is_err(), "a directory holds none");
    }
}
