//! Change under control: what a node serves, how another version takes its place, and how it notices that the files
//! are others.
//!
//! A version takes effect at one moment, for all clients: it is vetted whole, kept as the version last applied, put in
//! place of the policy as a new generation, and recorded. If a step fails, the one before stays. Nothing of a changed
//! file is in force before that, whatever is read of it on the way.
//!
//! A connection rests on its client's entry and its server's. Where those are others now it is *retired*: from that
//! moment no call of it is judged to be as accepted; what is out ends and is answered; then its client attaches again
//! and finds what holds now.
//!
//! Not here: what is checked (`vet`), what is kept (`applied`). Start at [`begin`] and [`Node::apply`].

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{Arc, Weak},
    time::{Duration, UNIX_EPOCH},
};

use placet_engine::{
    diagnostic::inert,
    json::{Json, Object},
    names::{ClientName, ServerName},
    permit::Durable,
    policy::{
        Policy,
        change::Comparison,
        config::{Config, Reload, Server, terms::Payloads},
    },
    record::Kind,
    state::Changes,
    time::Timestamp,
};
use placet_store::{
    Store as _,
    sqlite::{OpenError, PayloadKeys, Reader, Sqlite},
};
use tokio::sync::watch;

use super::{Node, NodeError};
use crate::{
    applied::{self, Applied, Damaged, MEND, Stamp},
    config::{LoadError, Loaded, compared, load_from},
    gate::Gate,
    inputs::{Inputs, lock_beside},
    lock::Lock,
    mcp::catalog::Book,
    own_files, payloads,
    place::Places,
    vet,
};

/// How often the files are looked at, besides at each attachment.
pub(super) const LOOKING: Duration = Duration::from_secs(5);

/// How long after it was written a file's time is not trusted to tell two versions apart.
const SETTLED: Duration = Duration::from_secs(2);

/// What a node serves: all of one version.
pub(super) struct Served {
    /// What the file says.
    pub(super) config: Config,
    /// Digest of the file's text.
    pub(super) digest: String,
    lock: Option<Lock>,
    inputs: Inputs,
    version: String,
    /// What is accepted of each server, shared by all its connections.
    pub(super) books: BTreeMap<ServerName, Arc<Book>>,
    /// How it came to be applied.
    pub(super) stamp: Stamp,
}

impl Served {
    /// What was loaded, with the policy apart, which is the gate's.
    pub(super) fn of(loaded: Loaded, books: BTreeMap<ServerName, Arc<Book>>, stamp: Stamp) -> (Self, Policy) {
        let Loaded { config, policy, books: _, digest, warnings: _, name: _, source: _, lock, inputs } =
            loaded;
        let version = inputs.version();
        (Self { config, digest, lock, inputs, version, books, stamp }, policy)
    }

    fn meant(&self) -> (&Config, Option<&Lock>) {
        (&self.config, self.lock.as_ref())
    }

    fn applied(&self, recorded: bool) -> Applied {
        Applied { inputs: self.inputs.clone(), stamp: Stamp { recorded, ..self.stamp.clone() } }
    }
}

fn meant(loaded: &Loaded) -> (&Config, Option<&Lock>) {
    (&loaded.config, loaded.lock.as_ref())
}

/// A connection, as far as a change is about it.
pub(super) struct Connection {
    client: ClientName,
    server: ServerName,
    retired: watch::Sender<bool>,
}

impl Connection {
    pub(super) fn new(client: ClientName, server: ServerName) -> Arc<Self> {
        Arc::new(Self { client, server, retired: watch::Sender::new(false) })
    }

    /// Tells when it is retired.
    pub(super) fn retired(&self) -> watch::Receiver<bool> {
        self.retired.subscribe()
    }

    fn is_about(&self, old: &Served, new: &Served) -> bool {
        let (before, now) = (&old.config, &new.config);
        before.clients.get(&self.client) != now.clients.get(&self.client)
            || !is_reached_alike(before.servers.get(&self.server), now.servers.get(&self.server))
            || !is_same_book(old.books.get(&self.server), new.books.get(&self.server))
    }
}

/// Whether a server is started, spoken to and believed as before. What its tools are is policy's.
fn is_reached_alike(old: Option<&Server>, new: Option<&Server>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => *old == Server { tools: old.tools.clone(), ..new.clone() },
        (None, None) => true,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn is_same_book(old: Option<&Arc<Book>>, new: Option<&Arc<Book>>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (None, None) => true,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// What is known of files that are not what is applied.
#[derive(Debug, Default)]
pub(super) struct Watched {
    seen: Option<Seen>,
    pending: Option<Pending>,
}

/// How the files looked, without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen(Vec<Option<(i64, i64, u64, u64)>>);

/// A version that waits.
#[derive(Clone, Debug)]
struct Pending {
    version: String,
    words: String,
}

impl Seen {
    /// How they look now; none if a file was written so lately that its next change might look the same.
    fn of(config: &Path, now: Timestamp) -> Option<Self> {
        let settled = |found: &fs::Metadata| {
            let written = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            let since = Duration::from_micros(now.0).checked_sub(written)?;
            (since >= SETTLED).then_some(())
        };
        let look = |path: &Path| match fs::metadata(path) {
            Ok(found) => {
                settled(&found)?;
                Some(Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino())))
            }
            Err(_) => Some(None),
        };
        [config, &lock_beside(config)].into_iter().map(look).collect::<Option<_>>().map(Self)
    }
}

/// What the version with which a node begins says of the keys of payloads, and those keys. It is looked at before
/// everything else: the store is opened under them.
///
/// # Errors
///
/// As for [`begin`]; and that such a key cannot be found.
pub(super) fn payload_keys(places: &Places) -> Result<(Option<Payloads>, PayloadKeys), NodeError> {
    let error = |LoadError(text)| NodeError::Config(text);
    let inputs = match applied::read(&places.state) {
        Ok(Some(applied)) => applied.inputs,
        Ok(None) => Inputs::read(&places.config).map_err(error)?,
        Err(damaged) => return Err(damage(&damaged)),
    };
    let config = load_from(inputs).map_err(error)?.config;
    let keys = payloads::keys(&config).map_err(|why| NodeError::Config(format!("error: {why}\n")))?;
    Ok((config.payloads, keys))
}

/// What a node begins with, whose store is open under the keys that were `named`: the version last applied, or, in a state directory where none ever was, what it finds.
///
/// # Errors
///
/// [`NodeError::Config`] if there is neither; a node does not start on a guess.
pub(super) fn begin(
    places: &Places,
    named: &Option<Payloads>,
    now: Timestamp,
) -> Result<(Loaded, Stamp), NodeError> {
    let (loaded, stamp) = version(places, now)?;
    if loaded.config.payloads == *named {
        return Ok((loaded, stamp));
    }
    Err(NodeError::Config(
        "error: the files were changed while the node began\nhelp: begin again\n".to_owned(),
    ))
}

fn version(places: &Places, now: Timestamp) -> Result<(Loaded, Stamp), NodeError> {
    let config = |LoadError(text)| NodeError::Config(text);
    match applied::read(&places.state) {
        Ok(Some(Applied { inputs, stamp })) => {
            let loaded = load_from(inputs).map_err(|LoadError(text)| {
                NodeError::Config(format!(
                    "error: the version that was applied at {} cannot be used\n{text}",
                    stamp.at
                ))
            })?;
            vet::may_reload(&loaded.config, &places.config).map_err(config)?;
            Ok((loaded, stamp))
        }
        Ok(None) => {
            was_none_applied(&places.state)?;
            let loaded = vet::vetted_at_first(Inputs::read(&places.config).map_err(config)?, &places.config)
                .map_err(config)?;
            let stamp = Stamp {
                at: now,
                by: "placet".to_owned(),
                reason: "nothing was applied in this state directory before".to_owned(),
                old: None,
                changes: Vec::new(),
                recorded: false,
            };
            let applied = Applied { inputs: loaded.inputs.clone(), stamp };
            applied::keep(&places.state, &applied).map_err(|cause| {
                NodeError::System(format!(
                    "what is applied cannot be kept in `{}`: {cause}",
                    places.state.display()
                ))
            })?;
            Ok((loaded, applied.stamp))
        }
        Err(damaged) => Err(damage(&damaged)),
    }
}

fn damage(what: &Damaged) -> NodeError {
    NodeError::Config(format!("error: {}\nhelp: {MEND}\n", inert(&what.to_string())))
}

/// A state directory whose ledger knows of a version, and that has none, has lost it.
fn was_none_applied(state: &Path) -> Result<(), NodeError> {
    let system = |error: OpenError| NodeError::System(error.to_string());
    match Reader::open(state).map_err(system)?.last_of(Kind::Apply).map_err(system)? {
        None => Ok(()),
        Some(_) => Err(NodeError::Config(format!(
            "error: a version was applied in `{}` before, and it is not there any more\nhelp: {MEND}\n",
            state.display()
        ))),
    }
}

/// What is served, once the ledger has the record of its application: of a version that is applied for the first
/// time, or whose application was cut off.
pub(super) async fn recorded(served: Served, gate: &Gate<Sqlite>, state: &Path) -> Result<Served, NodeError> {
    if served.stamp.recorded {
        return Ok(served);
    }
    let changes = Changes { records: vec![served.stamp.record(&served.version)], ..Changes::default() };
    gate.store().commit::<Durable>(changes).await.map_err(|error| NodeError::System(error.to_string()))?;
    applied::keep(state, &served.applied(true)).map_err(|cause| NodeError::System(cause.to_string()))?;
    Ok(Served { stamp: Stamp { recorded: true, ..served.stamp }, ..served })
}

impl Node {
    /// Makes what the files say now the version in force, if it is the version that a person has looked at.
    ///
    /// # Errors
    ///
    /// Why not, for a person; then the one before stays in force.
    pub(super) async fn apply(&self, wanted: &str, by: &str, reason: &str) -> Result<Object, String> {
        let _one_at_a_time = self.changing.lock().await;
        let loaded = self.vetted().await.map_err(|LoadError(text)| text)?;
        if loaded.inputs.version() != wanted {
            return Err("the files have changed since you looked at them; look at them again".to_owned());
        }
        self.make_effective(loaded, by, reason).await
    }

    /// Looks whether the files are still those that are applied. What is new is vetted at once and told once; it is
    /// in force only if the file that is applied leaves that to the node, and the change only narrows.
    pub(super) async fn look(&self) {
        let known = self.watched.lock().seen.clone();
        if known.is_some() && known == self.seen() {
            return;
        }
        let _one_at_a_time = self.changing.lock().await;
        let seen = self.seen();
        let served = self.served.load_full();
        let pending = match Inputs::read(&self.places.config) {
            Ok(inputs) if inputs.version() == served.version => None,
            Ok(inputs) => {
                let version = inputs.version();
                if self.watched.lock().pending.as_ref().is_some_and(|pending| pending.version == version) {
                    self.watched.lock().seen = seen;
                    return;
                }
                self.consider(&served, version).await
            }
            Err(LoadError(text)) => Some(Pending { version: String::new(), words: first_line(&text) }),
        };
        let news = {
            let mut watched = self.watched.lock();
            let known = watched.pending.as_ref().map(|pending| pending.words.clone());
            watched.seen = seen;
            watched.pending.clone_from(&pending);
            pending.map(|pending| pending.words).filter(|words| known.as_ref() != Some(words))
        };
        if let Some(words) = news {
            (self.log)(&words);
        }
    }

    fn seen(&self) -> Option<Seen> {
        Seen::of(&self.places.config, self.gate.clock().now().wall)
    }

    /// What becomes of a version that is not applied.
    async fn consider(&self, served: &Served, version: String) -> Option<Pending> {
        let changed = applied::has_changed(served.inputs.name(), &served.stamp);
        let waits =
            |words: String| Some(Pending { version: version.clone(), words: format!("{changed}; {words}") });
        let loaded = match self.vetted().await {
            Ok(loaded) => loaded,
            Err(LoadError(text)) => {
                text.lines().for_each(|line| (self.log)(line));
                return waits(format!("it cannot be applied: {}", first_line(&text)));
            }
        };
        let effect = compared(served.meant(), meant(&loaded)).effect();
        let by_itself = served.config.reload == Reload::Auto
            && effect.only_narrows()
            && vet::may_reload(&served.config, &self.places.config).is_ok();
        if !by_itself {
            return waits(format!("it is {effect}, and `placet apply` makes it effective"));
        }
        match self.make_effective(loaded, "placet", "`reload` is \"auto\", and the change only narrows").await
        {
            Ok(_) => None,
            Err(why) => waits(format!("it could not be applied: {why}")),
        }
    }

    /// What the files say now, vetted where nobody else waits.
    async fn vetted(&self) -> Result<Loaded, LoadError> {
        let config = self.places.config.clone();
        let vetting = tokio::task::spawn_blocking(move || vet::vetted(Inputs::read(&config)?, &config));
        vetting
            .await
            .unwrap_or_else(|_| Err(LoadError("error: it cannot be read; this is a bug\n".to_owned())))
    }

    /// Puts a vetted version in the place of the one in force. One at a time: the caller sees to that.
    async fn make_effective(&self, loaded: Loaded, by: &str, reason: &str) -> Result<Object, String> {
        let old = self.served.load_full();
        let version = loaded.inputs.version();
        if version == old.version {
            return Ok(Object::from([("version", Json::from(version)), ("effect", Json::from("same"))]));
        }
        // The store is open under the keys that it was opened with.
        if old.config.payloads != loaded.config.payloads {
            return Err(
                "`[payloads]` changes only while no node runs: `placet node stop`, then `placet apply`"
                    .to_owned(),
            );
        }
        let comparison = compared(old.meant(), meant(&loaded));
        let stamp = Stamp {
            at: self.gate.clock().now().wall,
            by: by.to_owned(),
            reason: reason.to_owned(),
            old: Some(old.version.clone()),
            changes: comparison.differences.iter().map(|one| one.what.clone()).collect(),
            recorded: false,
        };
        let own = own_files::of_node(&self.places, &loaded.config)?;
        let books = books(&old, &loaded);
        let (new, policy) = Served::of(loaded, books, stamp);
        let new = Arc::new(new);
        // From here on the next start has the new version, with its record if this one does not come to write it.
        self.keep(new.applied(false)).await.map_err(|cause| format!("it cannot be kept: {cause}"))?;
        let reattach = self.serve_from_now(&old, &new);
        let record = new.stamp.record(&version);
        if let Err(error) = self.gate.apply(policy.guarding(own), record).await {
            self.serve_from_now(&new, &old);
            return Err(match self.keep(old.applied(true)).await {
                Ok(()) => format!("it could not be recorded: {error}"),
                Err(cause) => format!(
                    "it could not be recorded: {error}; nor could the state be put back ({cause}), so the next node \
                     begins with the new version"
                ),
            });
        }
        new.books.values().for_each(|book| book.reread());
        let remark = self.keep(new.applied(true)).await.err();
        applied::tidy(&self.places.state, &[&new.inputs, &old.inputs]);
        *self.watched.lock() = Watched::default();
        (self.log)(&format!("{} is applied ({}): {}", new.inputs.name(), comparison.effect(), new.stamp));
        if let Some(cause) = remark {
            (self.log)(&format!(
                "that it is recorded could not be kept ({cause}); the next start records it again"
            ));
        }
        Ok(told(&comparison, version, reattach))
    }

    /// Keeps what is applied, where nobody waits for the disk.
    async fn keep(&self, applied: Applied) -> std::io::Result<()> {
        let state = self.places.state.clone();
        let keeping = tokio::task::spawn_blocking(move || applied::keep(&state, &applied));
        keeping.await.map_err(std::io::Error::other)?
    }

    /// What is served from now on. Connections that rest on what is no longer so are retired, and counted.
    fn serve_from_now(&self, old: &Served, new: &Arc<Served>) -> usize {
        let mut connections = self.connections.lock();
        self.served.store(Arc::clone(new));
        connections.retain(|connection| connection.strong_count() > 0);
        let about =
            connections.iter().filter_map(Weak::upgrade).filter(|connection| connection.is_about(old, new));
        let fresh = about.filter(|connection| !connection.retired.send_replace(true));
        fresh.count()
    }

    /// What is to be said of files that are not those that are applied.
    pub(super) fn pending(&self) -> Option<String> {
        self.watched.lock().pending.as_ref().map(|pending| pending.words.clone())
    }
}

/// What is accepted of each server: what stands in the new lock; where that is what stood in the old one, with what
/// was met since.
fn books(old: &Served, new: &Loaded) -> BTreeMap<ServerName, Arc<Book>> {
    let texts = |lock: &Option<Lock>, server: &ServerName| -> Vec<Arc<str>> {
        let tools = lock.as_ref().and_then(|lock| lock.servers.get(server));
        tools.into_iter().flatten().map(|tool| Arc::clone(&tool.text)).collect()
    };
    let of = |(server, fresh): (&ServerName, &Arc<Book>)| {
        let same = old.books.get(server).filter(|_| texts(&old.lock, server) == texts(&new.lock, server));
        (server.clone(), Arc::clone(same.unwrap_or(fresh)))
    };
    new.books.iter().map(of).collect()
}

fn told(comparison: &Comparison, version: String, reattach: usize) -> Object {
    Object::from([
        ("version", Json::from(version)),
        ("effect", Json::from(comparison.effect().as_str())),
        ("reattach", Json::from(i64::try_from(reattach).unwrap_or(i64::MAX))),
    ])
}

/// The first finding of those that were rendered.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_just_written_is_not_told_by_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("placet.toml");
        fs::write(&config, "a").unwrap();
        let written = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        fs::File::options().write(true).open(&config).unwrap().set_modified(written).unwrap();
        let at = |seconds: u64| Timestamp(seconds * 1_000_000);
        // Neither just after it was written, nor where the clock stands before that.
        assert_eq!(Seen::of(&config, at(1_800_000_001)), None);
        assert_eq!(Seen::of(&config, at(1_799_999_000)), None);
        let seen = Seen::of(&config, at(1_800_000_002)).unwrap();
        assert_eq!(Seen::of(&config, at(1_800_001_000)), Some(seen.clone()));
        // A lock that appears, a file of another length, and one that is gone, look different.
        fs::write(lock_beside(&config), "").unwrap();
        fs::File::options().write(true).open(lock_beside(&config)).unwrap().set_modified(written).unwrap();
        let with_lock = Seen::of(&config, at(1_800_001_000));
        assert!(with_lock.is_some() && with_lock != Some(seen));
        fs::remove_file(&config).unwrap();
        assert_ne!(Seen::of(&config, at(1_800_001_000)), with_lock);
    }
}
