//! What a client's file was before it was rewired, and the way back.
//!
//! Each rewiring leaves a backup in a folder of the account's own: `before`, the file's text with a hole (`""`)
//! where each value of an environment stood, and `backup.json`, which says what fills each hole and what was
//! written. So secrets are where the server finds them, and the backup names their files; only a literal that is
//! not how we would write the value (`"\/"`) is kept beside the backup as it was, `hole-1`. A file that is still what
//! was written gets its old text back, byte for byte; in a file that has changed since, only our entries do.
//!
//! Not here: what is written in their place (`edit.rs`). Start at [`keep`] and [`restore`].

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use placet_engine::json::{Json, Limits, Object, parse};
use sha2::{Digest as _, Sha256};

use super::{
    edit::{Document, Splice, literal, splice},
    replace::{create_private, replace},
};
use crate::place;

/// A backup names files and holds what was written in place of entries; it is no larger than a client's file.
const BACKUP: Limits = Limits { bytes: 64 << 20, depth: 64, members: 100_000, key_bytes: 1 << 10 };

/// A hole is an empty text, so that what is around it can still be read as JSON.
const HOLE: &str = "\"\"";

/// The file of a literal, in the folder of its backup.
fn hole(number: usize) -> String {
    format!("hole-{}", number + 1)
}

/// A value that was taken out of a client's file.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// Where its literal stood.
    pub(super) at: Range<usize>,
    /// The file that holds the value now.
    pub(super) secret: PathBuf,
}

/// Where the backups of one client's file are, the oldest first.
fn folder(file: &Path) -> Result<PathBuf, String> {
    let digest = Sha256::digest(file.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(place::rewired().map_err(|error| error.to_string())?.join(name))
}

/// A backup without its `backup.json` was never finished, and nothing was changed after it.
fn backups(file: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = folder(file)?;
    let backups = (1..).map(|number: u32| folder.join(number.to_string()));
    Ok(backups.take_while(|backup| backup.join("backup.json").exists()).collect())
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold("sha256:".to_owned(), |all, byte| format!("{all}{byte:02x}"))
}

/// Remembers how a file was, before it is rewired. Returns the folder of the backup.
///
/// `entries` are the names of the entries that are changed, each with the value that it gets.
///
/// # Errors
///
/// Why it cannot be kept; then nothing may be changed.
pub(super) fn keep(
    file: &Path,
    before: &str,
    after: &str,
    taken: &[Taken],
    entries: &[(String, Json)],
) -> Result<PathBuf, String> {
    let there = backups(file)?.len();
    let folder = folder(file)?.join((there + 1).to_string());
    forget(&folder);
    let original =
        write_backup(&folder, file, before, after, taken, entries).and_then(|backup| backup.original());
    match original {
        Ok((original, true)) if original == before => Ok(folder),
        Ok(_) => {
            forget(&folder);
            Err("what was kept does not give back what was there; this is a bug".to_owned())
        }
        Err(why) => {
            forget(&folder);
            Err(why)
        }
    }
}

fn write_backup(
    folder: &Path,
    file: &Path,
    before: &str,
    after: &str,
    taken: &[Taken],
    entries: &[(String, Json)],
) -> Result<Backup, String> {
    let path = |path: &Path| {
        path.to_str().map(Json::from).ok_or_else(|| format!("the path `{}` is not UTF-8", path.display()))
    };
    let mut taken = taken.to_vec();
    taken.sort_by_key(|taken| taken.at.start);
    let unkept = |cause| format!("cannot keep what `{}` was: {cause}", file.display());
    let mut holes = Vec::new();
    let mut cut = 0;
    for (number, Taken { at, secret }) in taken.iter().enumerate() {
        let written = before.get(at.clone()).ok_or("a value is not where it was; this is a bug")?;
        let value = fs::read_to_string(secret).map_err(|cause| format!("`{}`: {cause}", secret.display()))?;
        let usual = literal(&value) == written;
        if !usual {
            create_private(&folder.join(hole(number)), written).map_err(unkept)?;
        }
        let place = i64::try_from(at.start - cut).map_err(|error| error.to_string())?;
        cut += at.len() - HOLE.len();
        let hole = [("at", Json::from(place)), ("secret", path(secret)?), ("usual", Json::from(usual))];
        holes.push(Json::from(Object::from(hole)));
    }
    let holed = taken.iter().map(|taken| Splice { at: taken.at.clone(), with: HOLE.to_owned() }).collect();
    let holed = splice(before, holed).ok_or("two values are in one place; this is a bug")?;
    let entries = entries.iter().map(|(name, value)| {
        Json::from(Object::from([("name", Json::from(name.as_str())), ("wired", value.clone())]))
    });
    let backup = Object::from([
        ("version", Json::from(1)),
        ("file", path(file)?),
        ("before", Json::from(digest(before))),
        ("after", Json::from(digest(after))),
        ("holes", Json::from(holes)),
        ("entries", Json::from(entries.collect::<Vec<_>>())),
    ]);
    let backup = Json::from(backup).compact();
    let kept = create_private(&folder.join("before"), &holed)
        .and_then(|()| create_private(&folder.join("backup.json"), &backup));
    kept.map_err(unkept)?;
    Backup::read(folder)
}

/// Forgets a backup that nothing was made of, if there is one.
pub(super) fn forget(backup: &Path) {
    // A backup that stays is found again by whoever undoes, and changes nothing then.
    fs::remove_dir_all(backup).unwrap_or_default();
}

/// A backup, read back.
struct Backup {
    folder: PathBuf,
    before: String,
    holes: Vec<(usize, PathBuf, bool)>,
    digests: (String, String),
    entries: Vec<(String, Json)>,
}

impl Backup {
    fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("backup.json");
        let wrong = |what: &str| format!("`{}` {what}", path.display());
        let text = |path: &Path| {
            fs::read_to_string(path).map_err(|cause| format!("cannot read `{}`: {cause}", path.display()))
        };
        let backup = parse(text(&path)?.as_bytes(), &BACKUP).map_err(|error| wrong(&error.to_string()))?;
        if backup.get("version").and_then(Json::as_i64) != Some(1) {
            return Err(wrong("was written by another version"));
        }
        let field = |value: &Json, key: &str| value.get(key).and_then(Json::as_str).map(str::to_owned);
        let list = |key: &str| backup.get(key).and_then(Json::as_array).ok_or_else(|| wrong("is incomplete"));
        let taken = |hole: &Json| {
            let at = usize::try_from(hole.get("at")?.as_i64()?).ok()?;
            Some((at, PathBuf::from(field(hole, "secret")?), hole.get("usual")?.as_bool()?))
        };
        let entry = |entry: &Json| Some((field(entry, "name")?, entry.get("wired")?.clone()));
        let read = || -> Option<_> { Some((field(&backup, "before")?, field(&backup, "after")?)) };
        Ok(Self {
            folder: folder.to_owned(),
            before: text(&folder.join("before"))?,
            holes: list("holes")?
                .iter()
                .map(taken)
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("is incomplete"))?,
            digests: read().ok_or_else(|| wrong("is incomplete"))?,
            entries: list("entries")?
                .iter()
                .map(entry)
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("is incomplete"))?,
        })
    }

    /// The text as it was, and whether it is that to the byte: a secret may have been changed since.
    fn original(&self) -> Result<(String, bool), String> {
        let mut fillings = Vec::new();
        for (number, (at, secret, usual)) in self.holes.iter().enumerate() {
            let read = |path: &Path| {
                let missing = |cause| format!("`{}` is needed to put a value back: {cause}", path.display());
                fs::read_to_string(path).map_err(missing)
            };
            let value = read(secret)?;
            let written = if *usual { None } else { Some(read(&self.folder.join(hole(number)))?) };
            // A value that was changed since is what the server needs now.
            let still =
                |written: &String| parse(written.as_bytes(), &BACKUP) == Ok(Json::from(value.as_str()));
            let with = written.filter(still).unwrap_or_else(|| literal(&value));
            fillings.push(Splice { at: *at..*at + HOLE.len(), with });
        }
        let text =
            splice(&self.before, fillings).ok_or("a backup's holes are not where they are said to be")?;
        let exact = digest(&text) == self.digests.0;
        Ok((text, exact))
    }
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Whether all of it is what it was, to the byte.
    pub exact: bool,
    /// What a person should know.
    pub remarks: Vec<String>,
}

/// The files that were rewired and not restored since.
///
/// # Errors
///
/// If the account's folder cannot be found.
pub fn rewired() -> Result<Vec<PathBuf>, String> {
    let home = place::rewired().map_err(|error| error.to_string())?;
    let folders = match fs::read_dir(&home) {
        Ok(folders) => folders,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(format!("cannot read `{}`: {cause}", home.display())),
    };
    let mut files: Vec<PathBuf> = folders
        .filter_map(|folder| {
            let backup = fs::read(folder.ok()?.path().join("1/backup.json")).ok()?;
            parse(&backup, &BACKUP).ok()?.get("file").and_then(Json::as_str).map(PathBuf::from)
        })
        .collect();
    files.sort();
    Ok(files)
}

/// Takes every rewiring of a client's file back, the latest first; all of them or none.
///
/// # Errors
///
/// What stands in the way and what to do about it, for a person. The file is as it was.
pub fn restore(file: &Path, dry_run: bool) -> Result<Restored, String> {
    let backups = backups(file)?;
    if backups.is_empty() {
        return Err(format!("`{}` was not rewired, or is restored already", file.display()));
    }
    let found = fs::read_to_string(file)
        .map_err(|cause| format!("cannot read `{}`: {cause}{}", file.display(), by_hand(&backups)))?;
    let mut text = found.clone();
    let mut restored = Restored { exact: true, remarks: Vec::new() };
    for folder in backups.iter().rev() {
        let backup = Backup::read(folder)?;
        let (original, exact) = backup.original()?;
        if !exact {
            restored.remarks.push("a secret was changed since; its present value is put back".to_owned());
        }
        restored.exact &= exact;
        if digest(&text) == backup.digests.1 || text == original {
            text = original;
            continue;
        }
        restored.exact = false;
        text = entries(&text, &original, &backup.entries, &mut restored.remarks).map_err(|why| {
            format!("`{}` was changed since it was rewired: {why}{}", file.display(), by_hand(&backups))
        })?;
    }
    if dry_run {
        return Ok(restored);
    }
    if text != found {
        replace(file, &found, &text)
            .map_err(|cause| format!("`{}` is left as it was: {cause}", file.display()))?;
    }
    fs::remove_dir_all(folder(file)?)
        .map_err(|cause| format!("the file is restored, its backup is not removed: {cause}"))?;
    Ok(restored)
}

/// What a person can do.
fn by_hand(backups: &[PathBuf]) -> String {
    let Some(first) = backups.first() else { return String::new() };
    let (before, backup) = (first.join("before"), first.join("backup.json"));
    format!(
        "; by hand: what it was is in `{}`, and `{}` names the file of each value that is missing there",
        before.display(),
        backup.display()
    )
}

/// The present text with our entries as they were.
fn entries(
    text: &str,
    original: &str,
    wired: &[(String, Json)],
    remarks: &mut Vec<String>,
) -> Result<String, String> {
    let now = Document::read(text)?;
    let was = Document::read(original)?;
    let mut splices = Vec::new();
    for (name, wired) in wired {
        let before = was.entry(name)?.ok_or("its backup is wrong")?;
        let Some(entry) = now.entry(name)? else {
            remarks.push(format!("entry `{name}` is gone, and stays so"));
            continue;
        };
        let value = now.json(&entry.value).map_err(|error| format!("entry `{name}`: {error}"))?;
        if value == *wired {
            splices.push(Splice { at: entry.value, with: was.text(&before.value).to_owned() });
        } else if Ok(&value) != was.json(&before.value).as_ref() {
            return Err(format!("entry `{name}` is no longer what was written"));
        }
    }
    let restored = splice(text, splices).ok_or("the changes overlap; this is a bug")?;
    let again = Document::read(&restored)?;
    for (name, _) in wired {
        if let (Some(now), Some(before)) = (again.entry(name)?, was.entry(name)?)
            && again.text(&now.value) != was.text(&before.value)
            && again.json(&now.value) != was.json(&before.value)
        {
            return Err(format!("entry `{name}` cannot be put back"));
        }
    }
    Ok(restored)
}

#[cfg(test)]
mod tests;
