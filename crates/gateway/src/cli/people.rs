//! `placet people`: who may answer and give orders, and a secret for one of them.
//!
//! The file says what a person may do; this gives a person who stands there the secret by which orders in a terminal
//! are that person's. Only its digest goes into the file.

use std::{fs, path::Path};

use clap::{Args, Subcommand};
use placet_engine::{
    names::PersonName,
    policy::config::{Credential, read},
};
use sha2::{Digest as _, Sha256};
use toml_edit::{DocumentMut, value};

use super::{Exit, PlaceArguments, apply, check, complain, say};
use crate::{
    credential,
    init::{draw, replace},
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The people of the file, and what each may do
    List {
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Give a person of the file a secret for this account
    Add {
        /// The person's name, as `[people.NAME]` has it
        name: String,
        #[command(flatten)]
        place: PlaceArguments,
    },
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let done = match &arguments.command {
        Command::List { place } => list(place),
        Command::Add { name, place } => add(name, place),
    };
    done.err().unwrap_or(Exit::Done)
}

fn list(place: &PlaceArguments) -> Result<(), Exit> {
    let loaded = check::loaded(place)?;
    for (name, person) in &loaded.config.people {
        let may: Vec<_> = person.may.iter().map(ToString::to_string).collect();
        let secret = if person.credential.is_some() { "has a secret" } else { "has no secret yet" };
        if !say(&format!("{name:16} {secret:18} {}", may.join(" "))) {
            return Ok(());
        }
    }
    if loaded.config.people.is_empty() {
        complain("the file names no people", Some("`[people.ana]` with `may = [\"approve:oncall\"]` is one"));
    }
    Ok(())
}

fn add(name: &str, place: &PlaceArguments) -> Result<(), Exit> {
    let name: PersonName = name.parse().map_err(|error| {
        complain(&format!("{error}"), None);
        Exit::Usage
    })?;
    let loaded = check::loaded(place)?;
    let path = place.places()?.config;
    let Some(person) = loaded.config.people.get(&name) else {
        let hint = format!(
            "add `[people.{name}]` with what that person may do, such as `may = [\"approve:oncall\"]`"
        );
        complain(&format!("the file names no person `{name}`"), Some(&hint));
        return Err(Exit::Config);
    };
    let unavailable = |what: String| {
        complain(&what, Some("nothing was changed"));
        Exit::Unavailable
    };
    let key = credential::file_of(&name).map_err(unavailable)?;
    if person.credential.is_some() || key.exists() {
        let hint =
            format!("to make another, take `credential` out of the file, and remove `{}`", key.display());
        complain(&format!("`{name}` has a secret already"), Some(&hint));
        return Err(Exit::Config);
    }
    let secret = draw().map_err(unavailable)?;
    let credential = Credential(Sha256::digest(secret.as_bytes()).into());
    let text = with_credential(&loaded.source, &name, credential).ok_or_else(|| {
        complain(
            "the file cannot be edited here",
            Some(&format!("add `credential = \"{credential}\"` by hand")),
        );
        Exit::Config
    })?;
    keep(&path, &loaded.source, &text, &key, &secret).map_err(|cause| unavailable(cause.to_string()))?;
    say(&format!("{name} has a secret, in {}; its digest is in {}", key.display(), path.display()));
    let reason = format!("a secret of {name}");
    apply::what_was_written(&place.places()?, Some(&loaded.inputs.version()), &reason)
}

/// The file with a person's credential. None if it would then say anything else than that besides.
fn with_credential(source: &str, name: &PersonName, credential: Credential) -> Option<String> {
    let mut meant = read(source).config?;
    meant.people.get_mut(name)?.credential = Some(credential);
    let mut document: DocumentMut = source.parse().ok()?;
    let person = document.get_mut("people")?.get_mut(name.as_str())?.as_table_like_mut()?;
    person.insert("credential", value(credential.to_string()));
    let text = document.to_string();
    (read(&text).config? == meant).then_some(text)
}

/// First the secret, then the file: a digest whose secret nobody has would lock a person out.
fn keep(path: &Path, before: &str, text: &str, key: &Path, secret: &str) -> std::io::Result<()> {
    replace::create_private(key, &format!("{secret}\n"))?;
    replace::replace(path, before, text).inspect_err(|_| fs::remove_file(key).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_goes_into_the_table_of_its_person_and_nothing_else_changes() {
        let source =
            "# who\n[people.ana] # on call\nmay = [\"view\"]\n\n[people.bo]\nmay = [\"stop\"] # only\n";
        let name = "bo".parse().unwrap();
        let text = with_credential(source, &name, Credential([7; 32])).unwrap();
        let line = format!("credential = \"sha256:{}\"\n", "07".repeat(32));
        assert_eq!(text, format!("{source}{line}"));
        assert_eq!(with_credential(source, &"cy".parse().unwrap(), Credential([7; 32])), None);
    }
}
