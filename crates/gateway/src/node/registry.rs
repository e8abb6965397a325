//! The list of this account's nodes, which a stop reads: each node is on it while it lives, wherever its own
//! folders are.
//!
//! It is one folder under `HOME` with a file for each node. The node holds a lock on its file, so that whether it
//! lives is known however it ended, and whoever has its number now. A node inside another process is on the list
//! too, without a socket: a `STOP` file reaches it.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use placet_engine::json::{Json, Limits, Object, parse};

use crate::place::{self, Places};

/// A node's place on the list, for as long as this is kept.
#[derive(Debug)]
pub struct Registration {
    path: PathBuf,
    /// Locked until it is closed, however that comes about.
    _file: File,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // What is left behind is found unlocked, and removed, by the next who looks.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

/// A node that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its process.
    pub pid: i64,
    /// Where it takes people's commands; none: nowhere.
    pub socket: Option<PathBuf>,
    /// The state directory that it owns, where it takes commands.
    pub state: Option<PathBuf>,
    /// The files for all nodes of the account that it looks for.
    pub stop_files: Vec<PathBuf>,
}

/// Puts this process on the list: with the places of its node, or none if it takes no commands.
///
/// # Errors
///
/// If that cannot be written.
pub fn register(places: Option<&Places>) -> io::Result<Registration> {
    let (socket, state) = places.map(|places| (places.operator_socket(), places.state.clone())).unzip();
    register_in(&place::nodes().map_err(io::Error::other)?, socket.as_deref(), state.as_deref())
}

fn register_in(folder: &Path, socket: Option<&Path>, state: Option<&Path>) -> io::Result<Registration> {
    place::make_private(folder).map_err(io::Error::other)?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name = format!("{}-{:016x}", std::process::id(), u64::from_be_bytes(random));
    // Under another name until it is whole and locked, so that nobody takes it for one that was left behind.
    let (unready, path) = (folder.join(format!(".{name}")), folder.join(name));
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&unready)?;
    let text = |path: &Path| Json::from(path.to_string_lossy().into_owned());
    let files = place::account_stop_files().map_err(io::Error::other)?;
    let entry = Object::from([
        ("pid", Json::from(i64::from(std::process::id()))),
        ("socket", socket.map_or(Json::Null, text)),
        ("state", state.map_or(Json::Null, text)),
        ("stop_files", Json::Array(files.iter().map(|file| text(file)).collect())),
    ]);
    let written = file.try_lock().map_err(io::Error::from).and_then(|()| {
        file.write_all(Json::Object(entry).compact().as_bytes())?;
        fs::rename(&unready, &path)
    });
    match written {
        Ok(()) => Ok(Registration { path, _file: file }),
        Err(error) => {
            fs::remove_file(&unready).unwrap_or_default();
            Err(error)
        }
    }
}

/// The nodes of this account that live. Files of those that do not are removed.
///
/// # Errors
///
/// If the list cannot be read, or a part of it cannot.
pub fn live() -> io::Result<Vec<Entry>> {
    live_in(&place::nodes().map_err(io::Error::other)?)
}

fn live_in(folder: &Path) -> io::Result<Vec<Entry>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(cause),
    };
    let mut live = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            // It has left since.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            Err(cause) => return Err(cause),
        };
        match file.try_lock_shared() {
            Ok(()) => fs::remove_file(&path).unwrap_or_default(),
            Err(TryLockError::WouldBlock) => live.push(read(&fs::read(&path)?)?),
            Err(TryLockError::Error(cause)) => return Err(cause),
        }
    }
    Ok(live)
}

fn read(text: &[u8]) -> io::Result<Entry> {
    let unread = || io::Error::new(io::ErrorKind::InvalidData, "the list of nodes cannot be read");
    let entry = parse(text, &Limits::EDGE).map_err(|_| unread())?;
    let path = |json: &Json| json.as_str().map(PathBuf::from);
    let files = entry.get("stop_files").and_then(Json::as_array).ok_or_else(unread)?;
    Ok(Entry {
        pid: entry.get("pid").and_then(Json::as_i64).ok_or_else(unread)?,
        socket: entry.get("socket").and_then(path),
        state: entry.get("state").and_then(path),
        stop_files: files.iter().filter_map(path).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_on_the_list_while_it_lives_however_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let nodes = folder.path().join("nodes");
        assert_eq!(live_in(&nodes).unwrap(), []);
        let socket = folder.path().join("operator.sock");
        let one = register_in(&nodes, Some(&socket), None).unwrap();
        let two = register_in(&nodes, None, None).unwrap();
        let mut sockets: Vec<_> = live_in(&nodes).unwrap().into_iter().map(|entry| entry.socket).collect();
        sockets.sort();
        assert_eq!(sockets, [None, Some(socket.clone())]);
        // One leaves; the other is killed: its file stays, and its lock does not.
        drop(two);
        let left = nodes.join("12345-left");
        fs::copy(&one.path, &left).unwrap();
        let entries = live_in(&nodes).unwrap();
        assert_eq!(entries.iter().map(|entry| &entry.socket).collect::<Vec<_>>(), [&Some(socket)]);
        assert!(!left.exists());
    }

    #[test]
    fn a_list_that_cannot_be_read_is_no_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        let node = register_in(folder.path(), None, None).unwrap();
        fs::write(&node.path, "{").unwrap();
        assert!(live_in(folder.path()).is_err());
    }
}
