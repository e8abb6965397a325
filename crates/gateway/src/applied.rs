//! The version last applied, in the state directory: what a node starts with, whatever the files say now.
//!
//! `STATE/applied/` holds the text of each part under its digest, and `manifest.json`, which names them and says
//! who applied them when and why. The manifest is replaced whole, after the texts are on disk: the moment of its
//! renaming is the moment at which a version is applied. What does not read back as its digest says is damaged, and
//! nothing is started on a guess of what it may have been.
//!
//! A manifest says whether the ledger has the record of its application. The record is written right after the
//! renaming; if the process ends in between, the next start finds that it is missing and writes it.
//!
//! Not here: who may apply, and what is checked before (`vet`). Start at [`read`] and [`keep`].

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use placet_engine::{
    json::{Json, Limits, Object, parse},
    record::Record,
    time::Timestamp,
};

use crate::{inputs, inputs::Inputs, place};

/// A manifest names a handful of parts.
const MANIFEST: Limits = Limits { bytes: 1 << 20, depth: 8, members: 10_000, key_bytes: 1 << 10 };

/// A version, and how it came to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What is applied.
    pub inputs: Inputs,
    /// How it came to be.
    pub stamp: Stamp,
}

/// How a version came to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The version before it, if there was one.
    pub old: Option<String>,
    /// What is different from that.
    pub changes: Vec<String>,
    /// Whether the ledger has the record of it.
    pub recorded: bool,
}

impl Stamp {
    /// What the ledger is to say of it.
    pub fn record(&self, version: &str) -> Record {
        let Self { at, by, reason, old, changes, recorded: _ } = self;
        placet_engine::decide::applied((old.as_deref(), version), changes, by, reason, *at)
    }
}

/// For a person, on one line.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}: {}", self.at, self.by, self.reason)
    }
}

/// What is in the state directory is not what was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged(String);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the version last applied cannot be used: {}", self.0)
    }
}

impl std::error::Error for Damaged {}

/// What to do about it.
pub const MEND: &str =
    "`placet apply` makes the file as it is now the one that counts; `placet check` shows it first";

/// That a file is another than the one that is applied.
pub fn has_changed(name: &str, stamp: &Stamp) -> String {
    format!("{name} has changed since it was applied at {}", stamp.at)
}

fn folder(state: &Path) -> PathBuf {
    state.join("applied")
}

fn manifest(state: &Path) -> PathBuf {
    folder(state).join("manifest.json")
}

/// Whether something was applied in this state directory, be it damaged.
pub fn is_there(state: &Path) -> bool {
    manifest(state).exists()
}

/// What was last applied; none if nothing ever was.
///
/// # Errors
///
/// [`Damaged`] if it cannot be read whole.
pub fn read(state: &Path) -> Result<Option<Applied>, Damaged> {
    let path = manifest(state);
    let unread =
        |path: &Path, cause: io::Error| Damaged(format!("cannot read `{}`: {cause}", path.display()));
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(unread(&path, cause)),
    };
    let wrong = |what: &str| Damaged(format!("`{}` {what}", path.display()));
    let json = parse(&bytes, &MANIFEST).map_err(|error| wrong(&format!("is damaged: {error}")))?;
    if json.get("version").and_then(Json::as_i64) != Some(1) {
        return Err(wrong("was written by another version of Placet"));
    }
    let read = read_manifest(&json).ok_or_else(|| wrong("is incomplete"))?;
    let mut parts = BTreeMap::new();
    for (part, digest) in read.parts {
        let path = text_file(state, &digest).ok_or_else(|| wrong("names a digest that is none"))?;
        let text = fs::read_to_string(&path).map_err(|cause| unread(&path, cause))?;
        if inputs::digest(&text) != digest {
            return Err(Damaged(format!("`{}` is not what was written there", path.display())));
        }
        parts.insert(part, text);
    }
    let inputs = Inputs::of(read.name, parts).ok_or_else(|| wrong("names no configuration"))?;
    if inputs.version() != read.version {
        return Err(wrong("does not name the parts that were applied"));
    }
    Ok(Some(Applied { inputs, stamp: read.stamp }))
}

struct Manifest {
    name: String,
    version: String,
    parts: Vec<(String, String)>,
    stamp: Stamp,
}

fn read_manifest(json: &Json) -> Option<Manifest> {
    let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    let parts = json.get("parts")?.as_object()?.iter();
    let changes = json.get("changes")?.as_array()?.iter().map(|what| what.as_str().map(str::to_owned));
    let at = json.get("at")?.as_i64().and_then(|at| u64::try_from(at).ok())?;
    Some(Manifest {
        name: text("name")?,
        version: text("applied")?,
        parts: parts
            .map(|(part, digest)| Some((part.to_owned(), digest.as_str()?.to_owned())))
            .collect::<Option<_>>()?,
        stamp: Stamp {
            at: Timestamp(at),
            by: text("by")?,
            reason: text("reason")?,
            old: if *json.get("old")? == Json::Null { None } else { Some(text("old")?) },
            changes: changes.collect::<Option<_>>()?,
            recorded: json.get("recorded")?.as_bool()?,
        },
    })
}

/// The file of the text with this digest.
fn text_file(state: &Path, digest: &str) -> Option<PathBuf> {
    let digits = digest.strip_prefix("sha256:")?;
    let plain = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| folder(state).join(digits))
}

/// Makes a version the one that was last applied: whole, or not at all.
///
/// # Errors
///
/// What the system says; then the one before it still is.
pub fn keep(state: &Path, applied: &Applied) -> io::Result<()> {
    let Applied { inputs, stamp } = applied;
    let folder = folder(state);
    place::make_private(&folder).map_err(io::Error::other)?;
    let mut parts = Object::new();
    for (part, text) in inputs.parts() {
        let digest = inputs::digest(text);
        let path =
            text_file(state, &digest).ok_or_else(|| io::Error::other("a digest is none; this is a bug"))?;
        write_whole(&folder, &path, text)?;
        parts.insert(part.as_str(), digest.as_str());
    }
    let at = i64::try_from(stamp.at.0).map_err(io::Error::other)?;
    let manifest_text = Object::from([
        ("version", Json::from(1)),
        ("applied", Json::from(inputs.version())),
        ("name", Json::from(inputs.name())),
        ("parts", Json::Object(parts)),
        ("at", Json::from(at)),
        ("by", Json::from(stamp.by.as_str())),
        ("reason", Json::from(stamp.reason.as_str())),
        ("old", stamp.old.as_deref().map_or(Json::Null, Json::from)),
        ("changes", Json::Array(stamp.changes.iter().map(|what| Json::from(what.as_str())).collect())),
        ("recorded", Json::from(stamp.recorded)),
    ]);
    // After the texts that it names are on disk.
    fs::File::open(&folder)?.sync_all()?;
    write_whole(&folder, &manifest(state), &Json::Object(manifest_text).compact())?;
    fs::File::open(&folder)?.sync_all()
}

fn write_whole(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Removes texts that neither of these versions has. What stays is without effect.
pub fn tidy(state: &Path, kept: &[&Inputs]) {
    let named: Vec<PathBuf> = kept
        .iter()
        .flat_map(|inputs| inputs.parts().values())
        .filter_map(|text| text_file(state, &inputs::digest(text)))
        .chain([manifest(state)])
        .collect();
    let Ok(entries) = fs::read_dir(folder(state)) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| !named.contains(path)) {
        fs::remove_file(path).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(config: &str, lock: Option<&str>, recorded: bool) -> Applied {
        let lock = lock.map(|lock| ("placet.lock".to_owned(), lock.to_owned()));
        let parts = [("placet.toml".to_owned(), config.to_owned())].into_iter().chain(lock).collect();
        Applied {
            inputs: Inputs::of("placet.toml".to_owned(), parts).unwrap(),
            stamp: Stamp {
                at: Timestamp(1_800_000_000_000_000),
                by: "ana".to_owned(),
                reason: "a \"reason\"\n".to_owned(),
                old: recorded.then(|| "sha256:old".to_owned()),
                changes: vec!["agent `x` is new".to_owned()],
                recorded,
            },
        }
    }

    #[test]
    fn what_is_kept_is_read_back_and_the_last_one_counts() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(read(state.path()), Ok(None));
        let (one, two) = (applied("a", Some("b"), false), applied("c", None, true));
        for version in [&one, &two, &one] {
            keep(state.path(), version).unwrap();
            assert_eq!(read(state.path()), Ok(Some(version.clone())));
        }
        tidy(state.path(), &[&one.inputs]);
        assert_eq!(read(state.path()), Ok(Some(one)));
        assert_eq!(fs::read_dir(folder(state.path())).unwrap().count(), 3, "two texts and the manifest");
    }

    #[test]
    fn any_damage_is_noticed_and_nothing_is_guessed() {
        let whole = applied("agents.bot.levels = [\"read\"]", Some("version = 1"), true);
        let state = tempfile::tempdir().unwrap();
        keep(state.path(), &whole).unwrap();
        let files: Vec<PathBuf> =
            fs::read_dir(folder(state.path())).unwrap().map(|entry| entry.unwrap().path()).collect();
        for file in files {
            let good = fs::read(&file).unwrap();
            for bad in [Some(Vec::new()), Some(good[..good.len() / 2].to_vec()), Some(b"x".repeat(9)), None] {
                match &bad {
                    Some(bytes) => fs::write(&file, bytes).unwrap(),
                    // Without a manifest nothing was applied; whether that can be is the ledger's to say.
                    None if file.ends_with("manifest.json") => continue,
                    None => fs::remove_file(&file).unwrap(),
                }
                assert!(read(state.path()).is_err(), "{}: {bad:?}", file.display());
            }
            fs::write(&file, good).unwrap();
        }
        assert_eq!(read(state.path()), Ok(Some(whole)));
        // A manifest that leaves a part out is not the one that was written.
        let manifest = manifest(state.path());
        let text = fs::read_to_string(&manifest).unwrap();
        let digest = inputs::digest("version = 1");
        let less = text.replace(&format!("\"placet.lock\":\"{digest}\","), "");
        assert_ne!(less, text);
        fs::write(&manifest, less).unwrap();
        assert!(read(state.path()).is_err());
    }
}
