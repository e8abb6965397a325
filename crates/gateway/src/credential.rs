//! Clients' secrets: one file each, readable by this account alone.
//!
//! The configuration file holds only the digest of a secret. Which file a client's secret is in follows from
//! its name, so nothing but the name has to stand in the client's own configuration.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use placet_engine::names::ClientName;

use crate::place;

/// The file of a client's secret.
///
/// # Errors
///
/// If the user's folder of configuration cannot be found.
pub fn file(client: &ClientName) -> Result<PathBuf, String> {
    let home = place::config_home().map_err(|error| error.to_string())?;
    Ok(home.join("clients").join(format!("{client}.key")))
}

/// The secret of this client, or of the only one that this account has.
///
/// # Errors
///
/// What is missing, for a person.
pub fn find(client: Option<&str>) -> Result<String, String> {
    let path = match client {
        Some(name) => {
            let name: ClientName = name.parse().map_err(|error| format!("{error}"))?;
            file(&name)?
        }
        None => only()?,
    };
    let metadata =
        fs::metadata(&path).map_err(|cause| format!("cannot read `{}`: {cause}", path.display()))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(format!("`{}` can be read by others; `chmod 600` it first", path.display()));
    }
    let secret =
        fs::read_to_string(&path).map_err(|cause| format!("cannot read `{}`: {cause}", path.display()))?;
    Ok(secret.trim().to_owned())
}

fn only() -> Result<PathBuf, String> {
    let folder = place::config_home().map_err(|error| error.to_string())?.join("clients");
    let entries =
        fs::read_dir(&folder).map_err(|cause| format!("cannot read `{}`: {cause}", folder.display()))?;
    let mut keys = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        (path.extension()? == "key").then_some(path)
    });
    match (keys.next(), keys.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!("there is no client's credential in `{}`", folder.display())),
        (Some(_), Some(_)) => Err("there are several clients; name one with `--client`".to_owned()),
    }
}
