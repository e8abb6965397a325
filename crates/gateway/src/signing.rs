//! Secret keys of the ledger in files: drawn once, durable before they are used, readable by their owner alone.
//!
//! Not here: what is signed (the `ledger` crate).

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use placet_ledger::note::{KeyKind, Signer, Verifier};

/// The longest file that is read as a key.
const KEY_BYTES_MAX: u64 = 65_536;

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Reads a secret key, or none if there is no such file.
///
/// # Errors
///
/// What the system says; or that the file is no secret key, or one that others may read.
pub fn read(path: &Path, kind: KeyKind) -> io::Result<Option<Signer>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(invalid(
                "others than its owner may read this key; `chmod 600` it if it is still a secret",
            ));
        }
    }
    let mut text = String::new();
    file.take(KEY_BYTES_MAX).read_to_string(&mut text)?;
    let signer = Signer::parse(text.trim_end()).map_err(|_| invalid("this is no secret key of a ledger"))?;
    if signer.verifier().kind() == kind {
        Ok(Some(signer))
    } else {
        Err(invalid("this key is for something else"))
    }
}

/// Draws a secret key, named by `name` from its public half, and makes it durable.
///
/// # Errors
///
/// What the system says; also if there is a key already, which is never replaced.
pub fn draw(path: &Path, kind: KeyKind, name: impl FnOnce(&[u8; 32]) -> String) -> io::Result<Signer> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a key already"));
    }
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let unnamed =
        "key".parse().and_then(|name| Signer::from_seed(name, kind, &seed)).map_err(io::Error::other)?;
    let name = name(unnamed.verifier().public());
    let name = name.parse().map_err(|error| invalid(format!("`{name}` is no name of a key: {error}")))?;
    let signer = Signer::from_seed(name, kind, &seed).map_err(io::Error::other)?;
    write_private(path, format!("{}\n", signer.to_secret_text()).as_bytes())?;
    Ok(signer)
}

/// Writes a file for its owner alone: beside, flushed, and renamed, so that a crash leaves a whole one or none.
///
/// # Errors
///
/// What the system says.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut half = path.as_os_str().to_owned();
    half.push(".new");
    let half = PathBuf::from(half);
    match fs::remove_file(&half) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        Ok(()) | Err(_) => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&half, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// A public key from the command line: its text, or a file whose first line that is no comment is that text.
///
/// # Errors
///
/// In words, what is wrong with it.
pub fn public(text: &str, kind: KeyKind) -> Result<Verifier, String> {
    let key = text.parse::<Verifier>().or_else(|_| {
        let no = |why: String| format!("`{text}` is no public key, and no file that holds one: {why}");
        let file = File::open(text).map_err(|cause| no(cause.to_string()))?;
        let mut lines = String::new();
        file.take(KEY_BYTES_MAX).read_to_string(&mut lines).map_err(|cause| no(cause.to_string()))?;
        let line = lines.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        line.unwrap_or_default().parse::<Verifier>().map_err(|error| no(error.to_string()))
    })?;
    match (key.kind() == kind, kind) {
        (true, _) => Ok(key),
        (false, KeyKind::Log) => Err(format!("`{text}` is a witness's key, not a log's")),
        (false, KeyKind::Witness) => Err(format!("`{text}` is a log's key, not a witness's")),
    }
}
