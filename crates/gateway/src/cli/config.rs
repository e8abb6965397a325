//! `placet config`: which file is meant, what it means with everything filled in, and bringing it to the present form.

use std::path::Path;

use clap::{Args, Subcommand};
use placet_engine::{
    diagnostic::{inert, render},
    policy::config::read,
};

use super::{Exit, PlaceArguments, apply, check, complain, say};
use crate::{
    effective::Effective,
    init::replace,
    inputs::Inputs,
    place::{Found, find_config},
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Which file is meant, and why
    Path {
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// What the file means, with all that it leaves to defaults; literal values of environments are not shown
    Show {
        #[command(flatten)]
        place: PlaceArguments,
        /// Beside each value, on which line of the file it stands, or that it is a default
        #[arg(long)]
        origin: bool,
    },
    /// Bring the file to the present form, with its comments; nothing if it is in it
    Migrate {
        #[command(flatten)]
        place: PlaceArguments,
        /// Show what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let done = match &arguments.command {
        Command::Path { place } => path(place),
        Command::Show { place, origin } => show(place, *origin),
        Command::Migrate { place, dry_run } => migrate(place, *dry_run),
    };
    done.err().unwrap_or(Exit::Done)
}

fn path(place: &PlaceArguments) -> Result<(), Exit> {
    let Found { path, why } = find_config(place.config.as_deref()).map_err(|error| {
        complain(&error.to_string(), Some("`placet init` writes one; `--config FILE` names another"));
        Exit::Config
    })?;
    say(&inert(&path.to_string_lossy()));
    eprintln!("{}", why.as_str());
    if !path.exists() {
        complain("there is no such file", None);
        return Err(Exit::Config);
    }
    Ok(())
}

fn show(place: &PlaceArguments, origin: bool) -> Result<(), Exit> {
    let loaded = check::loaded(place)?;
    let effective = Effective::of(&loaded.config).map_err(|why| {
        complain(&format!("the file cannot be written out: {why}; this is a bug"), None);
        Exit::Bug
    })?;
    for line in effective.lines(&loaded.source) {
        let text = format!("{} = {}", line.key, line.value);
        let text = match (origin, line.line) {
            (false, _) => text,
            (true, Some(at)) => format!("{text:60}  # {}:{at}", loaded.name),
            (true, None) => format!("{text:60}  # default"),
        };
        if !say(&inert(&text)) {
            break;
        }
    }
    Ok(())
}

/// The line that a file of the present form has.
const VERSION: &str = "version = 1\n";

fn migrate(place: &PlaceArguments, dry_run: bool) -> Result<(), Exit> {
    let places = place.places()?;
    let inputs = Inputs::read(&places.config).map_err(|error| {
        eprint!("{}", error.0);
        Exit::Config
    })?;
    let (old, name) = (inputs.config(), inputs.name());
    let found = read(old);
    let Some(meant) = found.config else {
        eprint!("{}", render(&found.findings, name, old));
        complain("a file with mistakes is not migrated", None);
        return Err(Exit::Config);
    };
    if is_current(old) {
        say(&format!("{} is of version 1, which is the present one", inert(name)));
        return Ok(());
    }
    let new = format!("{VERSION}{old}");
    if read(&new).config.as_ref() != Some(&meant) {
        complain("the file would mean something else; this is a bug", Some("it is left as it was"));
        return Err(Exit::Bug);
    }
    say(&format!("--- {}", inert(name)));
    say(&format!("+++ {}", inert(name)));
    say("@@ -0,0 +1 @@");
    say(&format!("+{}", VERSION.trim_end()));
    if dry_run {
        return Ok(());
    }
    written(&places.config, old, &new)?;
    if let Some(words) = Inputs::read(&places.config).ok().and_then(|inputs| apply::pending(&places, &inputs))
    {
        eprintln!("note: {}", inert(&words));
    }
    Ok(())
}

/// Whether the file says which version it is of. One that was read says the present one, or none.
fn is_current(text: &str) -> bool {
    toml_edit::Document::parse(text).is_ok_and(|document| document.get("version").is_some())
}

fn written(path: &Path, old: &str, new: &str) -> Result<(), Exit> {
    replace(path, old, new).map_err(|cause| {
        complain(&format!("`{}` is left as it was: {cause}", path.display()), None);
        Exit::Unavailable
    })
}
