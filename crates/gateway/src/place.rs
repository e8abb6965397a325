//! Places: where the configuration, the state and the runtime folder of a node are.
//!
//! One file, one node, one state directory. State and runtime folder carry twelve hexadecimal digits of the
//! SHA-256 of the file's canonical path, so that two files never share them. Nothing is ever looked for in the
//! current folder.

use std::{
    env,
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// The longest path that fits a socket's address, with a little room.
const SOCKET_PATH: usize = 100;

/// Why a place cannot be used.
#[derive(Debug)]
pub enum PlaceError {
    /// There is no configuration file; where it was looked for.
    NoConfig(Vec<PathBuf>),
    /// The configuration file cannot be found or read.
    Config(PathBuf, io::Error),
    /// Neither `HOME` nor the variable that would replace it is set.
    NoHome(&'static str),
    /// `HOME` is not set, so no stop would find a node here.
    Homeless,
    /// A socket there would have too long a path.
    TooLong(PathBuf),
    /// The folder cannot be made.
    Folder(PathBuf, io::Error),
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlaceError::NoConfig(places) => {
                f.write_str("there is no configuration file; looked for ")?;
                let places: Vec<_> = places.iter().map(|place| format!("`{}`", place.display())).collect();
                f.write_str(&places.join(" and "))?;
                f.write_str(", and nowhere else: never in the current folder")
            }
            PlaceError::Config(path, cause) => write!(f, "cannot read `{}`: {cause}", path.display()),
            PlaceError::NoHome(variable) => write!(f, "neither HOME nor {variable} is set"),
            PlaceError::Homeless => {
                f.write_str("HOME is not set, and a stop looks there for the nodes of this account")
            }
            PlaceError::TooLong(path) => write!(
                f,
                "the socket `{}` would have a path of more than {SOCKET_PATH} bytes",
                path.display()
            ),
            PlaceError::Folder(path, cause) => write!(f, "cannot make `{}`: {cause}", path.display()),
        }
    }
}

impl std::error::Error for PlaceError {}

/// The places of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The configuration file, canonical.
    pub config: PathBuf,
    /// What is remembered.
    pub state: PathBuf,
    /// Sockets and the node's own `STOP` file.
    pub runtime: PathBuf,
}

impl Places {
    /// The places of the node of a file that may not be there yet. Nothing is made.
    ///
    /// # Errors
    ///
    /// [`PlaceError`] if there can be no such file.
    pub fn to_be(config: &Path) -> Result<Self, PlaceError> {
        let wrong = |cause| PlaceError::Config(config.to_owned(), cause);
        if config.exists() {
            return Self::of(Some(config), None);
        }
        let config = std::path::absolute(config).map_err(wrong)?;
        let there = config.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let below = config.strip_prefix(there).unwrap_or(&config);
        Self::at(there.canonicalize().map_err(wrong)?.join(below), None)
    }

    /// The places of the node of this file, or of the first file that is found where one may be.
    ///
    /// # Errors
    ///
    /// [`PlaceError`] with every place that was looked at.
    pub fn of(config: Option<&Path>, state: Option<&Path>) -> Result<Self, PlaceError> {
        let Found { path, .. } = find_config(config)?;
        match path.canonicalize() {
            Ok(config) => Self::at(config, state),
            Err(cause) => Self::without_file(&path, state).ok_or(PlaceError::Config(path, cause)),
        }
    }

    /// The places of a node whose file is gone, if something of it was applied: that goes on.
    fn without_file(config: &Path, state: Option<&Path>) -> Option<Self> {
        let config = std::path::absolute(config).ok()?;
        let folder = config.parent()?.canonicalize().ok()?;
        let places = Self::at(folder.join(config.file_name()?), state).ok()?;
        crate::applied::is_there(&places.state).then_some(places)
    }

    fn at(config: PathBuf, state: Option<&Path>) -> Result<Self, PlaceError> {
        let name = short_digest(&config);
        let state = match state {
            Some(state) => {
                std::path::absolute(state).map_err(|cause| PlaceError::Folder(state.to_owned(), cause))?
            }
            None => match env::var_os("PLACET_STATE").filter(|state| !state.is_empty()) {
                Some(state) => PathBuf::from(state),
                None => home("XDG_STATE_HOME", ".local/state")?.join("placet").join(&name),
            },
        };
        let runtime = runtime_home().map_or_else(|| state.clone(), |home| home.join(&name));
        Ok(Self { config, state, runtime })
    }

    /// The socket for agents' clients.
    pub fn agent_socket(&self) -> PathBuf {
        self.runtime.join("agent.sock")
    }

    /// The socket for people's commands.
    pub fn operator_socket(&self) -> PathBuf {
        self.runtime.join("operator.sock")
    }

    /// The files that stop this node while they exist: its own, and those for every node of this account.
    ///
    /// # Errors
    ///
    /// [`PlaceError::Homeless`].
    pub fn stop_files(&self) -> Result<Vec<PathBuf>, PlaceError> {
        let mut files = vec![self.runtime.join("STOP")];
        files.extend(account_stop_files()?);
        Ok(files)
    }

    /// Makes state and runtime folders for their owner alone, and checks that sockets fit.
    ///
    /// # Errors
    ///
    /// [`PlaceError`] with what to do.
    pub fn make(&self) -> Result<(), PlaceError> {
        let socket = self.operator_socket();
        if socket.as_os_str().len() > SOCKET_PATH {
            return Err(PlaceError::TooLong(socket));
        }
        [&self.state, &self.runtime].into_iter().try_for_each(|folder| make_private(folder))
    }
}

/// The folder that every node of this account knows, and every stop: nothing but `HOME` moves it. A node and a
/// stop are often started in different environments.
///
/// # Errors
///
/// [`PlaceError::Homeless`].
fn account() -> Result<PathBuf, PlaceError> {
    let home = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    Ok(home.ok_or(PlaceError::Homeless)?.join(".local/state/placet"))
}

/// The files that stop every node of this account while one of them exists: first the one that every node looks
/// for, then those where the environment says that runtime and state folders are.
///
/// # Errors
///
/// [`PlaceError::Homeless`].
pub fn account_stop_files() -> Result<Vec<PathBuf>, PlaceError> {
    let mut files = vec![account()?.join("STOP")];
    let state = home("XDG_STATE_HOME", ".local/state").ok().map(|home| home.join("placet"));
    for file in [runtime_home(), state].into_iter().flatten().map(|folder| folder.join("STOP")) {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    Ok(files)
}

/// The folder in which the nodes of this account are listed.
///
/// # Errors
///
/// [`PlaceError::Homeless`].
pub fn nodes() -> Result<PathBuf, PlaceError> {
    Ok(account()?.join("nodes"))
}

/// The runtime folders of all nodes of this account.
pub fn node_folders() -> Vec<PathBuf> {
    let homes = [runtime_home(), home("XDG_STATE_HOME", ".local/state").ok().map(|home| home.join("placet"))];
    let entries = homes.into_iter().flatten().filter_map(|home| std::fs::read_dir(home).ok()).flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect()
}

/// Makes a folder for its owner alone.
///
/// # Errors
///
/// [`PlaceError::Folder`].
pub fn make_private(folder: &Path) -> Result<(), PlaceError> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let wrong = |cause| PlaceError::Folder(folder.to_owned(), cause);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(wrong)
}

/// The user's folder of configuration.
///
/// # Errors
///
/// [`PlaceError::NoHome`].
pub fn config_home() -> Result<PathBuf, PlaceError> {
    Ok(home("XDG_CONFIG_HOME", ".config")?.join("placet"))
}

/// Where it is kept what clients' files were before `placet init` rewired them, for all nodes of the account.
///
/// # Errors
///
/// [`PlaceError::NoHome`].
pub fn rewired() -> Result<PathBuf, PlaceError> {
    Ok(home("XDG_STATE_HOME", ".local/state")?.join("placet").join("rewired"))
}

/// Which configuration file is meant, and why that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file. One that was named may not be there.
    pub path: PathBuf,
    /// Why this one.
    pub why: Why,
}

/// Why a configuration file is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `--config` names it.
    Named,
    /// `$PLACET_CONFIG` names it.
    Environment,
    /// It is the user's own.
    User,
    /// It is the system's, and the user has none.
    System,
}

impl Why {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Why::Named => "named by `--config`",
            Why::Environment => "named by $PLACET_CONFIG",
            Why::User => "the user's own",
            Why::System => "the system's, since the user has none",
        }
    }
}

/// The system's file.
const SYSTEM_CONFIG: &str = "/etc/placet/placet.toml";

/// Finds the configuration file: the one that is named, else that of `$PLACET_CONFIG`, else the user's, else the
/// system's.
///
/// # Errors
///
/// [`PlaceError::NoConfig`] with every place that was looked at.
pub fn find_config(named: Option<&Path>) -> Result<Found, PlaceError> {
    let environment = env::var_os("PLACET_CONFIG").map(PathBuf::from);
    let user = config_home().ok().map(|home| home.join("placet.toml"));
    search(named, environment, user, |path| path.exists())
}

fn search(
    named: Option<&Path>,
    environment: Option<PathBuf>,
    user: Option<PathBuf>,
    exists: impl Fn(&Path) -> bool,
) -> Result<Found, PlaceError> {
    if let Some(path) = named {
        return Ok(Found { path: path.to_owned(), why: Why::Named });
    }
    if let Some(path) = environment.filter(|path| !path.as_os_str().is_empty()) {
        return Ok(Found { path, why: Why::Environment });
    }
    let usual = user.map(|path| (path, Why::User)).into_iter().chain([(SYSTEM_CONFIG.into(), Why::System)]);
    let mut places = Vec::new();
    for (path, why) in usual {
        if exists(&path) {
            return Ok(Found { path, why });
        }
        places.push(path);
    }
    Err(PlaceError::NoConfig(places))
}

/// The folders of this account in which Placet keeps something: configuration and credentials, states, sockets, what
/// clients' files were.
pub fn account_folders() -> Vec<PathBuf> {
    let state = home("XDG_STATE_HOME", ".local/state").map(|home| home.join("placet"));
    let folders = [config_home().ok(), account().ok(), state.ok(), runtime_home()];
    folders.into_iter().flatten().collect()
}

fn home(variable: &'static str, below: &str) -> Result<PathBuf, PlaceError> {
    let set = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match (set(variable), set("HOME")) {
        (Some(place), _) => Ok(place),
        (None, Some(home)) => Ok(home.join(below)),
        (None, None) => Err(PlaceError::NoHome(variable)),
    }
}

/// Where runtime folders are, if the system has such a place.
fn runtime_home() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    if cfg!(target_os = "macos") {
        return set("HOME").map(|home| home.join("Library/Caches/placet"));
    }
    set("XDG_RUNTIME_DIR").filter(|place| place.is_absolute()).map(|place| place.join("placet"))
}

fn short_digest(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_named_wins_over_the_environment_the_users_and_the_systems() {
        let (named, environment, user) = (Path::new("n"), PathBuf::from("/e"), PathBuf::from("/u"));
        let found = |named, environment: Option<&PathBuf>, there: &[&str]| {
            search(named, environment.cloned(), Some(user.clone()), |path| {
                there.iter().any(|one| path == Path::new(one))
            })
        };
        for (given, from, there, wanted, why) in [
            (Some(named), Some(&environment), &["/u"][..], "n", Why::Named),
            (None, Some(&environment), &["/u"], "/e", Why::Environment),
            (None, Some(&PathBuf::new()), &["/u", SYSTEM_CONFIG], "/u", Why::User),
            (None, None, &[SYSTEM_CONFIG], SYSTEM_CONFIG, Why::System),
        ] {
            let Found { path, why: because } = found(given, from, there).unwrap();
            assert_eq!((path.as_path(), because), (Path::new(wanted), why));
        }
        let error = found(None, None, &[]).unwrap_err().to_string();
        assert!(error.contains("`/u` and `/etc/placet/placet.toml`"), "{error}");
        assert!(error.contains("never in the current folder"), "{error}");
    }

    #[test]
    fn a_file_in_the_current_folder_is_never_found() {
        let asked = std::cell::RefCell::new(Vec::new());
        let found = search(None, None, None, |path| {
            asked.borrow_mut().push(path.to_owned());
            false
        });
        assert!(found.is_err());
        assert!(asked.into_inner().iter().all(|path| path.is_absolute()));
    }
}
