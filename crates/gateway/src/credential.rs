//! Secrets of clients and of people: one file each, readable by this account alone.
//!
//! The configuration file holds only the digest of a secret. Which file a secret is in follows from its owner's name,
//! so nothing but the name has to stand in a client's own configuration. Clients and people have folders of their
//! own, and no secret is looked for in the other's.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use placet_engine::names::{ClientName, PersonName};

use crate::place;

/// The file of a client's secret.
///
/// # Errors
///
/// If the user's folder of configuration cannot be found.
pub fn file(client: &ClientName) -> Result<PathBuf, String> {
    Ok(folder("clients")?.join(format!("{client}.key")))
}

/// The file of a person's secret.
///
/// # Errors
///
/// If the user's folder of configuration cannot be found.
pub fn file_of(person: &PersonName) -> Result<PathBuf, String> {
    Ok(folder("people")?.join(format!("{person}.key")))
}

/// The secret of this client, or of the only one that this account has.
///
/// # Errors
///
/// What is missing, for a person.
pub fn find(client: Option<&str>) -> Result<String, String> {
    let path = match client {
        Some(name) => file(&name.parse().map_err(|error| format!("{error}"))?)?,
        None => match only(&folder("clients")?)? {
            Found::One(path) => path,
            Found::None(folder) => {
                return Err(format!("there is no client's credential in `{}`", folder.display()));
            }
            Found::Several => return Err("there are several clients; name one with `--client`".to_owned()),
        },
    };
    read(&path)
}

/// The name and the secret of this person, or of the only one that this account has.
///
/// # Errors
///
/// What is missing, for a person.
pub fn person(name: Option<&str>) -> Result<(PersonName, String), String> {
    let path = match name {
        Some(name) => file_of(&name.parse().map_err(|error| format!("{error}"))?)?,
        None => match only(&folder("people")?)? {
            Found::One(path) => path,
            Found::None(folder) => {
                return Err(format!("there is no person's credential in `{}`", folder.display()));
            }
            Found::Several => return Err("there are several people; name one with `--as`".to_owned()),
        },
    };
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = stem.parse().map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok((name, read(&path)?))
}

fn folder(of: &str) -> Result<PathBuf, String> {
    Ok(place::config_home().map_err(|error| error.to_string())?.join(of))
}

fn read(path: &Path) -> Result<String, String> {
    let unreadable = |cause| format!("cannot read `{}`: {cause}", path.display());
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(format!("`{}` can be read by others; `chmod 600` it first", path.display()));
    }
    Ok(fs::read_to_string(path).map_err(unreadable)?.trim().to_owned())
}

/// The keys of a folder.
enum Found {
    None(PathBuf),
    One(PathBuf),
    Several,
}

fn only(folder: &Path) -> Result<Found, String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Found::None(folder.to_owned()));
        }
        Err(cause) => return Err(format!("cannot read `{}`: {cause}", folder.display())),
    };
    let mut keys = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        (path.extension()? == "key").then_some(path)
    });
    Ok(match (keys.next(), keys.next()) {
        (Some(only), None) => Found::One(only),
        (None, _) => Found::None(folder.to_owned()),
        (Some(_), Some(_)) => Found::Several,
    })
}
