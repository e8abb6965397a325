//! Vetting: everything that a version must pass before it is applied, in one place.
//!
//! To load is to read and to compile. To be applied a version must also keep its own promises: its tests come out
//! as they say, its invariants are proved, and it asks for nothing that this installation cannot give. A version that was applied is not vetted
//! again when a node starts: what held then is kept, and an outage is no time to find out about a test.
//!
//! Not here: what is different from the version before, and who may apply. Start at [`vetted`].

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use placet_engine::{
    diagnostic::{Finding, inert, render},
    policy::{
        Judged,
        config::{Config, PolicyTest, Reload},
        trial::{Difference, Ran},
    },
};
use placet_prove::Effort;
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::{
    config::{LoadError, Loaded, load_from},
    inputs::{Inputs, lock_beside},
};

/// Loads a version, and holds it against everything that it must pass before it is applied.
///
/// # Errors
///
/// [`LoadError`] with everything that was found; then it is not to be applied.
pub fn vetted(inputs: Inputs, path: &Path) -> Result<Loaded, LoadError> {
    let loaded = vetted_at_first(inputs, path)?;
    loaded.invariants_hold(&Effort::default()).map_err(|broken| {
        let help = "`placet prove` says more, and shows the calls";
        LoadError(format!("error: {}\nhelp: {help}\n", inert(&broken.to_string())))
    })?;
    Ok(loaded)
}

/// The same for what a node finds in a state directory where nothing was applied before, but for the proofs: no start
/// waits for a solver, or needs one.
///
/// # Errors
///
/// As for [`vetted`].
pub fn vetted_at_first(inputs: Inputs, path: &Path) -> Result<Loaded, LoadError> {
    let loaded = load_from(inputs)?;
    let failed = failed_tests(&loaded);
    if !failed.is_empty() {
        return Err(LoadError(render(&failed, &loaded.name, &loaded.source)));
    }
    may_reload(&loaded.config, path)?;
    Ok(loaded)
}

/// Tests of the file that do not come out as they say, or of which that cannot be told.
pub fn failed_tests(loaded: &Loaded) -> Vec<Finding> {
    let failed = loaded.config.tests.iter().filter_map(|test| {
        let (what, help) = match test.run(&loaded.policy) {
            Ran::Passed(_) => return None,
            Ran::Failed { judged, differences } => (differing(&differences), deciding(&judged)),
            Ran::Untried(why) => {
                (why.to_string(), "`placet init` writes what a server offers into placet.lock".to_owned())
            }
        };
        let finding = Finding::error(format!("test `{}` does not pass: {what}", test.name)).help(help);
        Some(finding.at(line_of(test, &loaded.source)))
    });
    failed.collect()
}

fn differing(differences: &[Difference]) -> String {
    let shown = differences
        .iter()
        .map(|Difference { of, expected, got }| format!("{of}: expected {expected}, got {got}"));
    shown.collect::<Vec<_>>().join("; ")
}

fn deciding(judged: &Judged) -> String {
    let ids: Vec<&str> = judged.policies().iter().map(|id| &**id).collect();
    let by = if ids.is_empty() { "no rule".to_owned() } else { ids.join(", ") };
    format!("decided by {by}; `placet test` shows more")
}

/// The first line of a test's table.
fn line_of(test: &PolicyTest, source: &str) -> std::ops::Range<usize> {
    let before: usize = source.split_inclusive('\n').take(test.line.saturating_sub(1)).map(str::len).sum();
    let line = source.get(before..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    before..before + line.trim_end().len()
}

/// Whether a file that asks for `reload = "auto"` may have it.
///
/// # Errors
///
/// [`LoadError`] that says what of it this account can write: then an agent that can write files could make its
/// change effective too.
pub fn may_reload(config: &Config, path: &Path) -> Result<(), LoadError> {
    let open = match config.reload {
        Reload::Apply => None,
        Reload::Auto => writable(path),
    };
    match open {
        None => Ok(()),
        Some(open) => Err(LoadError(format!(
            "error: `reload = \"auto\"` is for files that the node's account cannot write, and it can write `{}`\n\
             help: take it out and use `placet apply`, or give the file and the folders above it to another account\n",
            open.display()
        ))),
    }
}

/// The first of a configuration file, its lock and the folders above them that this account can write.
fn writable(path: &Path) -> Option<PathBuf> {
    let Ok(path) = path.canonicalize() else { return Some(path.to_owned()) };
    let account = rustix::process::geteuid().as_raw();
    let is_ours = |place: &Path| fs::metadata(place).map_or(true, |found| found.uid() == account);
    let can_write = |place: &Path| accessat(CWD, place, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    let files = [path.clone(), lock_beside(&path)];
    // Who owns a file can make it writable.
    let file = files.into_iter().filter(|file| file.exists()).find(|file| is_ours(file) || can_write(file));
    let folder = |(above, folder): (usize, &Path)| {
        // In a sticky folder nobody but its owner replaces what others own; but a lock could be put there.
        let sticky = above > 0 && fs::metadata(folder).is_ok_and(|found| found.mode() & 0o1000 != 0);
        (is_ours(folder) || (can_write(folder) && !sticky)).then(|| folder.to_owned())
    };
    file.or_else(|| path.ancestors().skip(1).enumerate().find_map(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_engine::policy::config::read;

    #[test]
    fn a_file_that_this_account_can_write_does_not_reload_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("placet.toml");
        fs::write(&path, "reload = \"auto\"\n").unwrap();
        let config = |text: &str| read(text).config.unwrap();
        let refused = may_reload(&config("reload = \"auto\""), &path).unwrap_err().0;
        assert!(refused.contains("it can write `"), "{refused}");
        assert_eq!(may_reload(&config("reload = \"apply\""), &path), Ok(()));
        assert!(may_reload(&config("reload = \"auto\""), &folder.path().join("not there")).is_err());
    }
}
