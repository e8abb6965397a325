//! Which files are Placet's own: what no argument of any call may lead to, as data for the engine.
//!
//! Whatever decides what agents may do (configuration, lock, state, sockets, credentials), whatever brings an agent
//! here (clients' files that `placet init` rewired), and whatever the account's shell runs by itself. Each is named as
//! it is written and as it is behind its links.
//!
//! Not here: how an argument is read as a path (the engine's `own_files`). Start at [`of_node`].

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use placet_engine::{
    names::ServerName,
    policy::{
        config::{Config, Cwd, Part},
        own_files::{Base, OwnFiles},
    },
};

use crate::{init::undo, inputs::lock_beside, place, place::Places};

/// Files below the home that a shell or a session of the account runs by itself.
const START_UP: [&str; 22] = [
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".mkshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".xprofile",
    ".xsessionrc",
    ".pam_environment",
    ".config/fish",
    ".config/environment.d",
    ".config/nushell",
];

/// The files of a node: those of the account, and those of its configuration.
///
/// # Errors
///
/// If it cannot be told which clients' files were rewired.
pub fn of_node(places: &Places, config: &Config) -> Result<Arc<OwnFiles>, String> {
    let mut paths = of_account();
    paths.extend([places.state.clone(), places.runtime.clone()]);
    let texts = config.servers.values().flat_map(|server| server.launch.env.values());
    paths.extend(texts.flat_map(|text| text.parts()).filter_map(|part| match part {
        Part::File(path) => Some(PathBuf::from(path)),
        Part::Literal(_) | Part::Env(_) => None,
    }));
    // The folder of these may be a project's, in which agents work.
    let rewired = undo::rewired()?;
    let mut alone = rewired.clone();
    alone.extend([places.config.clone(), lock_beside(&places.config)]);
    alone.extend(places.config.parent().map(|folder| folder.join("policies")));
    let mut own = own(&paths, &alone);
    for (server, entry) in &config.servers {
        let base = match &entry.launch.cwd {
            Cwd::Path(path) => Base::Known(path.clone()),
            Cwd::Node => Base::Guessed(here()),
            Cwd::Client => Base::Guessed(clients_folders(&rewired)),
        };
        own = own.with_base(server.clone(), base);
    }
    Ok(Arc::new(own))
}

/// The files of the account, for a node without a configuration whose one server runs where this process does.
///
/// # Errors
///
/// As [`of_node`].
pub fn of_process(server: &ServerName, state: Option<&Path>) -> Result<Arc<OwnFiles>, String> {
    let mut paths = of_account();
    paths.extend(state.map(Path::to_owned));
    let own = own(&paths, &undo::rewired()?);
    Ok(Arc::new(own.with_base(server.clone(), Base::Guessed(here()))))
}

/// A state directory alone, for a program of somebody's own.
pub fn of_state(state: &Path) -> Arc<OwnFiles> {
    Arc::new(own(&[state.to_owned()], &[]))
}

fn of_account() -> Vec<PathBuf> {
    let mut paths = place::account_folders();
    paths.extend(home().into_iter().flat_map(|home| START_UP.map(|file| home.join(file))));
    // A shell of this account may be told to look elsewhere.
    let told = [
        ("ZDOTDIR", ".zshrc"),
        ("ZDOTDIR", ".zshenv"),
        ("ZDOTDIR", ".zprofile"),
        ("XDG_CONFIG_HOME", "fish"),
        ("XDG_CONFIG_HOME", "environment.d"),
        ("XDG_CONFIG_HOME", "nushell"),
    ];
    paths.extend(told.iter().filter_map(|(variable, file)| Some(folder_of(variable)?.join(file))));
    paths
}

fn own(paths: &[PathBuf], alone: &[PathBuf]) -> OwnFiles {
    let texts = |paths: &[PathBuf]| -> Vec<String> { paths.iter().flat_map(|path| forms(path)).collect() };
    let own = OwnFiles::new(texts(paths), cfg!(target_os = "macos")).and_alone(texts(alone));
    match home().as_ref().and_then(|home| home.to_str()) {
        Some(home) => {
            let user = env::var("USER").or_else(|_| env::var("LOGNAME")).ok();
            own.at_home(home, user.as_deref())
        }
        None => own,
    }
}

/// A path as it is written, and as it is behind its links as far as it is there. One that is no text no argument can
/// name.
fn forms(path: &Path) -> Vec<String> {
    let Ok(written) = std::path::absolute(path) else { return Vec::new() };
    let there = written.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let behind = there.and_then(|(above, behind)| {
        let below = written.strip_prefix(above).ok()?;
        Some(if below.as_os_str().is_empty() { behind } else { behind.join(below) })
    });
    let mut forms: Vec<String> = [Some(written), behind]
        .into_iter()
        .flatten()
        .filter_map(|form| form.into_os_string().into_string().ok())
        .collect();
    forms.dedup();
    forms
}

fn home() -> Option<PathBuf> {
    folder_of("HOME")
}

fn folder_of(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The folder that this process is in, which its servers are in too.
fn here() -> Vec<String> {
    env::current_dir()
        .ok()
        .and_then(|folder| folder.into_os_string().into_string().ok())
        .into_iter()
        .collect()
}

/// Where a client may be that runs its servers in its own folder: at home, or where its file is.
fn clients_folders(rewired: &[PathBuf]) -> Vec<String> {
    let above = rewired.iter().flat_map(|file| file.ancestors().skip(1).take(2)).map(Path::to_owned);
    let folders = home().into_iter().chain(above);
    folders.filter_map(|folder| folder.into_os_string().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_it_is_written_and_as_it_is_behind_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let found = forms(&root.join("link/not/there"));
        assert_eq!(found, [text(root.join("link/not/there")), text(root.join("real/not/there"))]);
        assert_eq!(forms(&root.join("real")), [text(root.join("real"))]);
    }
}
