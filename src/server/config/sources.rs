//! Where the texts of settings come from: flags, variables, credentials of systemd, the file of settings.
//!
//! Owns [`Sources`] and the order in which they count. Must not know what a text means. Key invariants: what
//! loses is not looked at; an error of one setting hides none of the others. Tests are below.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::file::{self, How, Written};
use super::gathered::{Entry, Values};
use super::secrets::{self, Files};
use super::settings::{Kind, SETTINGS, Setting};
use super::wrong::{ConfigError, Given, Source};
use crate::limits;

/// The file of settings, where no other is named and this one exists.
pub const DEFAULT_FILE: &str = "/etc/boardwire/boardwire.toml";

/// The variable that names another one.
pub const FILE_VARIABLE: &str = "BOARDWIRE_CONFIG";

/// The flag that does.
pub const FILE_FLAG: &str = "config";

/// The directory where systemd puts credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What is expected of a file of settings.
const SETTINGS_FILE: &str = "a file of settings that this user may read, or --config /dev/null for none";

/// What was given on the command line and by the environment: files are read anew each time.
#[derive(Clone, PartialEq, Eq)]
pub struct Sources {
    flags: BTreeMap<String, Vec<String>>,
    variables: BTreeMap<String, OsString>,
    /// Whose files of secrets are read: others may be readable by the server only.
    takes: Vec<&'static Setting>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some are secrets.
        write!(
            f,
            "Sources({} flags, {} variables)",
            self.flags.len(),
            self.variables.len()
        )
    }
}

/// What was found, and what is wrong with it.
#[derive(Debug)]
pub struct Found {
    /// What could be read.
    pub values: Values,
    /// The first thing that could not.
    pub wrong: Option<ConfigError>,
}

/// What one source says about a setting.
type Said = Option<(Source, Vec<String>)>;

impl Sources {
    /// Takes what is given for the settings of the table by `flag`, which is asked for the names of flags,
    /// and by `variable`. Of the settings that `takes` names, files with secrets count too. An empty
    /// variable counts as not set, since many tools cannot leave one out.
    pub fn new(
        flag: impl Fn(&str) -> Option<Vec<String>>,
        variable: impl Fn(&str) -> Option<OsString>,
        takes: impl Fn(&'static Setting) -> bool,
    ) -> Self {
        let names = SETTINGS
            .iter()
            .flat_map(|setting| [Some(setting.name.to_owned()), setting.file_flag()]);
        let names = names.flatten().chain([FILE_FLAG.to_owned()]);
        let flags = names.filter_map(|name| flag(&name).map(|texts| (name, texts)));
        let names = SETTINGS
            .iter()
            .flat_map(|setting| [Some(setting.variable()), setting.file_variable()]);
        let names = names
            .flatten()
            .chain([FILE_VARIABLE, CREDENTIALS].map(str::to_owned));
        let variables = names.filter_map(|name| {
            let text = variable(&name).filter(|text| !text.is_empty())?;
            Some((name, text))
        });
        Self {
            flags: flags.collect(),
            variables: variables.collect(),
            takes: SETTINGS.iter().filter(|setting| takes(setting)).collect(),
        }
    }

    /// What is given now, where nothing is wrong with how it is given.
    ///
    /// # Errors
    /// The first thing that is.
    pub fn read(&self, files: &dyn Files) -> Result<Values, ConfigError> {
        let Found { values, wrong } = self.find(files);
        wrong.map_or(Ok(values), Err)
    }

    /// What is given now: of each setting by its flag, else its variable, else a credential, else the file of
    /// settings, else the default.
    #[must_use]
    pub fn find(&self, files: &dyn Files) -> Found {
        let mut looking = Looking {
            sources: self,
            files,
            written: Vec::new(),
            exposed: Vec::new(),
        };
        let mut wrong = None;
        let file = looking.read_file().unwrap_or_else(|error| {
            wrong = Some(error);
            None
        });
        let entries = SETTINGS.iter().map(|setting| {
            let said = looking.look(setting).unwrap_or_else(|error| {
                wrong.get_or_insert(error);
                None
            });
            let default = || {
                let text = setting.default.map(str::to_owned);
                (Source::Default, text.into_iter().collect())
            };
            let (source, texts) = said.unwrap_or_else(default);
            Entry {
                setting,
                source,
                texts,
            }
        });
        Found {
            values: Values {
                entries: entries.collect(),
                file,
                exposed: looking.exposed,
            },
            wrong,
        }
    }
}

/// One look at all sources.
struct Looking<'a> {
    sources: &'a Sources,
    files: &'a dyn Files,
    /// What the file of settings says.
    written: Vec<Written>,
    exposed: Vec<PathBuf>,
}

impl Looking<'_> {
    /// Reads the file of settings; `None` where there is none.
    fn read_file(&mut self) -> Result<Option<PathBuf>, ConfigError> {
        let Sources { flags, variables, .. } = self.sources;
        let is_named = flags.contains_key(FILE_FLAG) || variables.contains_key(FILE_VARIABLE);
        let path = self.path_of_file();
        let held = match self.files.read(&path, limits::SETTINGS_FILE_BYTES_MAX) {
            Ok(held) => held,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(None),
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                return Err(ConfigError::file(&path, None, &what, SETTINGS_FILE));
            }
        };
        self.written = file::parse(&path, &held.bytes)?;
        let has_secret = |one: &Written| one.setting.kind == Kind::Secret && one.how == How::Value;
        if held.is_exposed() && self.written.iter().any(has_secret) {
            self.exposed.push(path.clone());
        }
        Ok(Some(path))
    }

    /// What counts for a setting; `None` where nobody gave anything.
    fn look(&mut self, setting: &'static Setting) -> Result<Said, ConfigError> {
        if let Some(said) = self.flag(setting)? {
            return Ok(Some(said));
        }
        if let Some(said) = self.variable(setting)? {
            return Ok(Some(said));
        }
        if let Some(said) = self.credential(setting)? {
            return Ok(Some(said));
        }
        self.line(setting)
    }

    fn flag(&mut self, setting: &'static Setting) -> Result<Said, ConfigError> {
        let flags = &self.sources.flags;
        let texts = flags.get(setting.name).cloned();
        let path = setting.file_flag().and_then(|name| flags.get(&name)?.first());
        match (texts, path) {
            (Some(_), Some(_)) => Err(both(format!("--{0} and --{0}-file are both given", setting.name))),
            (None, Some(path)) => self.secret_file(setting, PathBuf::from(path)),
            (texts, None) => Ok(texts.map(|texts| (Source::Flag, texts))),
        }
    }

    fn variable(&mut self, setting: &'static Setting) -> Result<Said, ConfigError> {
        let variables = &self.sources.variables;
        let text = variables.get(&setting.variable()).cloned();
        let path = setting.file_variable().and_then(|name| variables.get(&name));
        match (text, path) {
            (Some(_), Some(_)) => Err(both(format!("{0} and {0}_FILE are both set", setting.variable()))),
            (None, Some(path)) => self.secret_file(setting, PathBuf::from(path)),
            (text, None) => {
                let text = text.map(OsString::into_string).transpose().map_err(|_| {
                    let given = Given {
                        setting,
                        source: &Source::Variable,
                        text: Some("(not UTF-8)"),
                    };
                    ConfigError::new(given, "text in UTF-8")
                })?;
                Ok(text.map(|text| (Source::Variable, vec![text])))
            }
        }
    }

    fn credential(&mut self, setting: &'static Setting) -> Result<Said, ConfigError> {
        let Some(directory) = self.sources.variables.get(CREDENTIALS).map(Path::new) else {
            return Ok(None);
        };
        if setting.kind != Kind::Secret || !self.sources.takes.contains(&setting) {
            return Ok(None);
        }
        let path = directory.join(format!("boardwire.{}", setting.name));
        match self.files.read(&path, limits::SECRET_FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unread(setting, &path, &error)),
            Ok(held) => {
                let text = secrets::secret(setting.name, &path, &held)?;
                Ok(Some((Source::Credential(path), vec![text])))
            }
        }
    }

    /// What the file of settings says. An empty list counts as not set: there is nothing in it.
    fn line(&mut self, setting: &'static Setting) -> Result<Said, ConfigError> {
        let of = |how| {
            let mut all = self.written.iter();
            all.find(|one| one.setting == setting && one.how == how)
        };
        let file = || self.path_of_file();
        match (of(How::Value), of(How::SecretFile)) {
            (Some(value), Some(other)) => {
                let what = format!("{0} and {0}-file are both given", setting.name);
                let line = value.line.max(other.line);
                Err(ConfigError::file(&file(), Some(line), &what, "one of the two"))
            }
            (None, Some(written)) => {
                let path = written.texts.first().map(PathBuf::from);
                self.secret_file(setting, path.unwrap_or_default())
            }
            (value, None) => {
                let value = value.filter(|written| !written.texts.is_empty());
                Ok(value.map(|written| (Source::File(file(), written.line), written.texts.clone())))
            }
        }
    }

    /// Where the file of settings is, if there is one.
    fn path_of_file(&self) -> PathBuf {
        let flag = self.sources.flags.get(FILE_FLAG).and_then(|texts| texts.first());
        let variable = self.sources.variables.get(FILE_VARIABLE).map(PathBuf::from);
        let named = flag.map(PathBuf::from).or(variable);
        named.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
    }

    /// The secret that a file holds, where the setting is one that counts here.
    fn secret_file(&mut self, setting: &'static Setting, path: PathBuf) -> Result<Said, ConfigError> {
        if !self.sources.takes.contains(&setting) {
            return Ok(None);
        }
        let held = self.files.read(&path, limits::SECRET_FILE_BYTES_MAX);
        let held = held.map_err(|error| unread(setting, &path, &error))?;
        let text = secrets::secret(setting.name, &path, &held)?;
        if held.is_exposed() {
            self.exposed.push(path.clone());
        }
        Ok(Some((Source::SecretFile(path), vec![text])))
    }
}

/// A secret, and a file that holds it, given in one way.
fn both(what: String) -> ConfigError {
    ConfigError::form(what, "one of the two")
}

fn unread(setting: &Setting, path: &Path, error: &io::Error) -> ConfigError {
    let what = format!(
        "--{} (from the file {}) cannot be read: {error}",
        setting.name,
        path.display()
    );
    ConfigError::form(what, secrets::SECRET_FILE)
}

#[cfg(test)]
mod tests {
    use super::secrets::Held;
    use super::*;

    /// Files by path, with their mode.
    struct Shelf(Vec<(&'static str, &'static str, u32)>);

    impl Files for Shelf {
        fn read(&self, path: &Path, _bytes_max: usize) -> io::Result<Held> {
            let found = self.0.iter().find(|(name, ..)| Path::new(name) == path);
            let (_, text, mode) = found.ok_or(io::ErrorKind::NotFound)?;
            match *mode {
                0 => Err(io::ErrorKind::PermissionDenied.into()),
                mode => Ok(Held {
                    bytes: text.as_bytes().to_vec(),
                    mode,
                }),
            }
        }
    }

    fn sources(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Sources {
        let found = |all: &[(&str, &str)], name: &str| {
            let found = all.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        };
        Sources::new(
            |name| found(flags, name).map(|text| vec![text]),
            |name| found(variables, name).map(OsString::from),
            |setting| setting.name != "node-secret",
        )
    }

    fn shelf() -> Shelf {
        Shelf(vec![
            (
                DEFAULT_FILE,
                "jwt-secret = 'of-the-file'\nlog-level = 'warn'\n",
                0o640,
            ),
            ("/named.toml", "jwt-secret-file = '/s/line'\n", 0o640),
            (
                "/both.toml",
                "jwt-secret-file = '/s/line'\njwt-secret = 'x'\n",
                0o640,
            ),
            ("/locked.toml", "", 0),
            ("/s/flag", "of-the-flag\n", 0o600),
            ("/s/variable", "of-the-variable\n", 0o644),
            ("/s/line", "of-the-line\n", 0o600),
            ("/s/locked", "", 0),
            ("/c/boardwire.jwt-secret", "of-the-credential", 0o400),
        ])
    }

    /// The secret of tokens that counts, and where it is from.
    fn secret(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<(String, String), String> {
        let values = sources(flags, variables)
            .read(&shelf())
            .map_err(|error| error.to_string())?;
        let given = values.given("jwt-secret");
        Ok((
            given.text.unwrap_or_default().to_owned(),
            given.source.words(given.setting),
        ))
    }

    #[test]
    fn flags_win_over_variables_over_credentials_over_the_file_over_defaults() {
        let credentials = ("CREDENTIALS_DIRECTORY", "/c");
        let variable = ("BOARDWIRE_JWT_SECRET_FILE", "/s/variable");
        for (flags, variables, text, from) in [
            (
                &[("jwt-secret-file", "/s/flag")][..],
                &[variable, credentials][..],
                "of-the-flag",
                "secret file /s/flag",
            ),
            (
                &[("jwt-secret", "typed")],
                &[variable, credentials],
                "typed",
                "flag",
            ),
            (
                &[],
                &[variable, credentials],
                "of-the-variable",
                "secret file /s/variable",
            ),
            (
                &[],
                &[("BOARDWIRE_JWT_SECRET", "set"), credentials],
                "set",
                "variable BOARDWIRE_JWT_SECRET",
            ),
            (
                &[],
                &[("BOARDWIRE_JWT_SECRET", ""), credentials],
                "of-the-credential",
                "credential /c/boardwire.jwt-secret",
            ),
            (&[], &[], "of-the-file", "file /etc/boardwire/boardwire.toml:1"),
            (
                &[("config", "/named.toml")],
                &[("BOARDWIRE_CONFIG", "/not/read.toml")],
                "of-the-line",
                "secret file /s/line",
            ),
            (
                &[],
                &[("BOARDWIRE_CONFIG", "/named.toml")],
                "of-the-line",
                "secret file /s/line",
            ),
        ] {
            assert_eq!(
                secret(flags, variables),
                Ok((text.to_owned(), from.to_owned())),
                "{flags:?} {variables:?}"
            );
        }
        let values = sources(&[], &[]).read(&shelf()).unwrap();
        assert_eq!(values.given("log-level").text, Some("warn"));
        assert_eq!(values.given("max-connections").text, Some("10000"));
        assert_eq!(*values.given("max-connections").source, Source::Default);
        let alone = sources(&[], &[]).read(&secrets::NoFiles).unwrap();
        assert_eq!(
            (alone.given("log-level").text, &alone.file),
            (Some("info"), &None)
        );
    }

    #[test]
    fn a_secret_and_its_file_given_in_one_way_are_refused() {
        for (flags, variables, expected) in [
            (
                &[("jwt-secret", "a"), ("jwt-secret-file", "/s/flag")][..],
                &[][..],
                "--jwt-secret and --jwt-secret-file are both given; expected one of the two",
            ),
            (
                &[],
                &[
                    ("BOARDWIRE_JWT_SECRET", "a"),
                    ("BOARDWIRE_JWT_SECRET_FILE", "/s/flag"),
                ],
                "BOARDWIRE_JWT_SECRET and BOARDWIRE_JWT_SECRET_FILE are both set; expected one of the two",
            ),
            (
                &[("config", "/both.toml")],
                &[],
                "/both.toml:2: jwt-secret and jwt-secret-file are both given; expected one of the two",
            ),
        ] {
            assert_eq!(secret(flags, variables), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_its_setting() {
        for (flags, expected) in [
            (
                ("jwt-secret-file", "/s/none"),
                "--jwt-secret (from the file /s/none) cannot be read: ",
            ),
            (
                ("jwt-secret-file", "/s/locked"),
                "--jwt-secret (from the file /s/locked) cannot be read: permission denied; expected a file that this",
            ),
            (("config", "/none.toml"), "/none.toml: it cannot be read: "),
            (
                ("config", "/locked.toml"),
                "/locked.toml: it cannot be read: permission denied; expected ",
            ),
        ] {
            let line = secret(&[flags], &[]).expect_err(expected);
            assert!(line.starts_with(expected), "{line}");
        }
        let locked = Shelf(vec![(DEFAULT_FILE, "", 0)]);
        let line = sources(&[], &[])
            .read(&locked)
            .expect_err("it is there")
            .to_string();
        assert!(line.contains("--config /dev/null for none"), "{line}");
    }

    #[test]
    fn one_that_is_wrong_hides_none_of_the_others() {
        let found = sources(
            &[("jwt-secret-file", "/s/none"), ("listen", "[::]:1")],
            &[("BOARDWIRE_REDIS_FILE", "/s/locked")],
        )
        .find(&shelf());
        let line = found.wrong.map(|error| error.to_string()).unwrap_or_default();
        assert!(line.starts_with("--jwt-secret (from the file /s/none)"), "{line}");
        assert_eq!(found.values.given("listen").text, Some("[::]:1"));
        assert_eq!(found.values.given("log-level").text, Some("warn"));
    }

    #[test]
    fn secrets_that_everybody_may_read_are_told_and_those_of_other_commands_not_read() {
        let values = sources(&[], &[("BOARDWIRE_JWT_SECRET_FILE", "/s/variable")]).read(&shelf());
        assert_eq!(values.unwrap().exposed, [PathBuf::from("/s/variable")]);
        let open = Shelf(vec![(DEFAULT_FILE, "jwt-secret = 'x'", 0o644)]);
        let values = sources(&[], &[]).read(&open).unwrap();
        assert_eq!(values.exposed, [PathBuf::from(DEFAULT_FILE)]);
        let plain = Shelf(vec![(DEFAULT_FILE, "log-level = 'warn'", 0o644)]);
        assert!(sources(&[], &[]).read(&plain).unwrap().exposed.is_empty());
        let other = sources(&[], &[("BOARDWIRE_NODE_SECRET_FILE", "/s/locked")]).read(&shelf());
        assert_eq!(other.unwrap().given("node-secret").text, None);
    }

    #[test]
    fn what_changed_is_told_and_taken_by_name() {
        let before = sources(&[], &[]).read(&shelf()).unwrap();
        let after = sources(&[("listen", "[::]:1")], &[("BOARDWIRE_LOG_LEVEL", "debug")]);
        let after = after.read(&shelf()).unwrap();
        let names = |values: &Values, before| {
            let changed = values.changed_since(before);
            changed.iter().map(|setting| setting.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&after, &before), ["listen", "log-level"]);
        let merged = before.taking(&after, Setting::is_live);
        assert_eq!(names(&merged, &before), ["log-level"]);
        assert_eq!(names(&after, &merged), ["listen"]);
        assert!(!format!("{before:?}{after:?}").contains("of-the-file"));
    }
}
