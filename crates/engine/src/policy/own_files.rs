//! Placet's own files: no argument of any call may lead to one, or to a folder that holds one.
//!
//! Whoever writes the policy, the state, a credential or a file that the account's shell runs needs no
//! permission afterwards. So this is refused before any rule is asked, for every tool and every agent, and nothing
//! lifts it: no `allow`, no `observe`, no pause.
//!
//! What is judged is text: each text of the arguments, at any depth and in keys too, is read in every way in which
//! a tool may take it for a path, made plain by its letters alone, and looked up. Which files there are is data
//! that the shell gives, each as it is written and as it is behind its links.
//!
//! Not here, because no text tells it: where a link leads that was made since, a path inside a command or a
//! sentence, a pattern that a tool expands. Start at [`OwnFiles::touched`].

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    json::{Json, Object},
    names::ServerName,
};

/// The id under which a refusal names this rule.
pub const RULE: &str = "placet.own_files";

/// The files that no argument may lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnFiles {
    /// Plain absolute paths; what is below one belongs to it, and so does a folder that holds one.
    places: BTreeSet<String>,
    /// Such paths whose folder is somebody else's, as a project's is.
    alone: BTreeSet<String>,
    /// Every name in any of these paths: a text that begins with another one, and does not go up, leads elsewhere.
    names: BTreeSet<String>,
    /// What `~` and `$HOME` stand for, plain.
    home: Option<String>,
    /// Whose home that is, for `~name`.
    user: Option<String>,
    /// From where the tools of a server take paths that do not begin with `/`.
    bases: BTreeMap<ServerName, Base>,
    /// Whether the disk takes capital letters for small ones.
    folds_case: bool,
}

/// From where a server takes relative paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// From this folder: it is the one that the operator gave the server.
    Known(String),
    /// From one of these, or from elsewhere. What is inside such a file is refused; a `.` that may cover one is
    /// not, for it stands in nearly every call.
    Guessed(Vec<String>),
}

impl OwnFiles {
    /// These absolute paths, what is below them, and the folders above them. A path that is not absolute protects
    /// nothing, so it is left out.
    pub fn new(paths: impl IntoIterator<Item = String>, folds_case: bool) -> Self {
        Self { places: usable(paths, folds_case), folds_case, ..Self::default() }.with_names()
    }

    /// With these paths and what is below them, but not the folders above: a call may be about the folder as a whole.
    #[must_use]
    pub fn and_alone(self, paths: impl IntoIterator<Item = String>) -> Self {
        Self { alone: usable(paths, self.folds_case), ..self }.with_names()
    }

    fn with_names(mut self) -> Self {
        let paths = self.places.iter().chain(&self.alone);
        let names = paths.flat_map(|path| path.split('/')).filter(|name| !name.is_empty());
        // Behind it is the same tree once more.
        self.names = names.map(str::to_owned).chain(["proc".to_owned()]).collect();
        self
    }

    /// With what `~`, `$HOME` and `~user` stand for.
    #[must_use]
    pub fn at_home(mut self, home: &str, user: Option<&str>) -> Self {
        self.home = home.starts_with('/').then(|| plain("", home));
        self.user = user.map(str::to_owned);
        self
    }

    /// With the folder from which a server's tools take relative paths.
    #[must_use]
    pub fn with_base(mut self, server: ServerName, base: Base) -> Self {
        let base = match base {
            Base::Known(base) => Base::Known(plain("", &base)),
            Base::Guessed(bases) => Base::Guessed(bases.iter().map(|base| plain("", base)).collect()),
        };
        self.bases.insert(server, base);
        self
    }

    /// Whether nothing is protected.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.alone.is_empty()
    }

    /// The first argument of a call that leads to one of these files or covers one, as `args.paths[0]`.
    ///
    /// ```
    /// # use placet_engine::{json::{Json, Limits, parse}, policy::own_files::OwnFiles};
    /// let own = OwnFiles::new(["/home/ana/.bashrc".to_owned()], false).at_home("/home/ana", Some("ana"));
    /// let touched = |text: &str| own.touched(&"fs".parse().unwrap(), &parse(text.as_bytes(), &Limits::EDGE).unwrap());
    /// assert_eq!(touched(r#"{"paths": ["/repo/a", "~/x/../.bashrc"]}"#).as_deref(), Some("args.paths[1]"));
    /// assert_eq!(touched(r#"{"folder": "/home"}"#).as_deref(), Some("args.folder"));
    /// assert_eq!(touched(r#"{"note": "edit ~/.bashrc later"}"#), None);
    /// ```
    pub fn touched(&self, server: &ServerName, arguments: &Json) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let base = self.bases.get(server);
        let mut at = Vec::new();
        self.find(arguments, base, &mut at).then(|| {
            at.reverse();
            format!("args{}", at.concat())
        })
    }

    /// Whether a text below this value does; `at` is then the way there, from its end.
    fn find(&self, value: &Json, base: Option<&Base>, at: &mut Vec<String>) -> bool {
        match value {
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
            Json::String(text) => self.leads_here(text, base),
            Json::Array(items) => {
                let found = items.iter().position(|item| self.find(item, base, at));
                found.is_some_and(|index| {
                    at.push(format!("[{index}]"));
                    true
                })
            }
            Json::Object(members) => self.find_in(members, base, at),
        }
    }

    fn find_in(&self, members: &Object, base: Option<&Base>, at: &mut Vec<String>) -> bool {
        for (key, value) in members.iter() {
            if self.leads_here(key, base) || self.find(value, base, at) {
                at.push(format!(".{}", crate::diagnostic::first_of(&crate::diagnostic::inert(key), 64)));
                return true;
            }
        }
        false
    }

    /// Whether some reading of a text as a path leads to one of the files.
    fn leads_here(&self, text: &str, base: Option<&Base>) -> bool {
        // Some tools cut at a NUL, and trim.
        let text = text.split('\0').next().unwrap_or_default();
        let text = text.trim_matches(|char: char| char.is_whitespace() || char.is_control());
        if text.is_empty() {
            return false;
        }
        if let Some(path) = of_file_url(text) {
            let decoded = decoded(path);
            // A query and a fragment are no part of the path, unless the tool thinks so.
            let cut = decoded.split(['?', '#']).next().unwrap_or_default();
            return self.leads(&decoded, base) || self.leads(cut, base);
        }
        self.leads(text, base) || (text.contains('%') && self.leads(&decoded(text), base))
    }

    /// Whether a path leads to one of the files.
    fn leads(&self, path: &str, base: Option<&Base>) -> bool {
        if path.starts_with('/') {
            return self.holds("", path, true);
        }
        if let Some((home, rest)) = self.below_home(path) {
            return self.holds(home, rest, true);
        }
        match base {
            Some(Base::Known(base)) => self.holds(base, path, true),
            Some(Base::Guessed(bases)) => bases.iter().any(|base| self.holds(base, path, false)),
            None => false,
        }
    }

    /// What is behind `~`, `~user`, `$HOME` or `${HOME}`.
    fn below_home<'a>(&'a self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let home = self.home.as_deref()?;
        let first = path.split('/').next().unwrap_or_default();
        let named = first.strip_prefix('~');
        let is_home = named.is_some_and(|name| name.is_empty() || Some(name) == self.user.as_deref())
            || matches!(first, "$HOME" | "${HOME}");
        is_home.then(|| (home, path.get(first.len()..).unwrap_or_default()))
    }

    /// Whether the place is one of the files, below one, or, if that counts, above one.
    fn holds(&self, base: &str, path: &str, above: bool) -> bool {
        if !self.may_lead_here(path) {
            return base != "/" && self.is_inside(&folded(base.to_owned(), self.folds_case));
        }
        let mut plain = folded(plain(base, path), self.folds_case);
        // The same tree once more, as a process sees it.
        while let Some(rest) = behind_proc(&plain) {
            plain = rest;
        }
        if self.is_inside(&plain) {
            return true;
        }
        if !above {
            return false;
        }
        if plain != "/" {
            plain.push('/');
        }
        self.places.range(plain.clone()..).next().is_some_and(|place| place.starts_with(&plain))
    }

    /// Whether a path may lead to one of the files from anywhere that is not inside one. Most texts may not, and this
    /// is told without looking at all of them.
    fn may_lead_here(&self, path: &str) -> bool {
        match path.split('/').find(|name| !matches!(*name, "" | ".")) {
            None => true,
            Some(_) if path.contains("..") => true,
            Some(first) if self.folds_case => self.names.contains(&first.to_lowercase()),
            Some(first) => self.names.contains(first),
        }
    }

    /// Whether a plain path is one of the files or below one.
    fn is_inside(&self, plain: &str) -> bool {
        let slashes = plain.match_indices('/').map(|(at, _)| at).skip(1);
        let is_one = |path: &str| self.places.contains(path) || self.alone.contains(path);
        slashes.chain([plain.len()]).any(|end| is_one(plain.get(..end).unwrap_or_default()))
    }
}

/// The path of a `file:` URL, still as it is escaped.
fn of_file_url(text: &str) -> Option<&str> {
    let scheme = text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("file:"))?;
    let rest = text.get(scheme.len()..)?;
    match rest.strip_prefix("//") {
        // Between the slashes is a host, ours or none.
        Some(rest) => Some(rest.find('/').and_then(|at| rest.get(at..)).unwrap_or(rest)),
        None => Some(rest),
    }
}

/// The text with `%2e` and its like undone. What is no UTF-8 then is no path of ours.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(escaped) => {
                out.push(escaped);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

/// The path by its letters: absolute, one slash before each name, no `.` and no `..`. The root is `/`.
fn plain(base: &str, path: &str) -> String {
    let mut out = String::with_capacity(base.len() + path.len() + 1);
    for name in base.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            name => {
                out.push('/');
                out.push_str(name);
            }
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

/// What is behind `/proc/PID/root`.
fn behind_proc(plain: &str) -> Option<String> {
    let rest = plain.strip_prefix("/proc/")?;
    let (_, rest) = rest.split_once('/')?;
    let rest = rest.strip_prefix("root")?;
    match rest {
        "" => Some("/".to_owned()),
        rest => rest.starts_with('/').then(|| rest.to_owned()),
    }
}

fn usable(paths: impl IntoIterator<Item = String>, folds_case: bool) -> BTreeSet<String> {
    let plain = paths.into_iter().filter(|path| path.starts_with('/')).map(|path| plain("", &path));
    // Whoever owned the root would forbid every path.
    plain.filter(|path| path != "/").map(|path| folded(path, folds_case)).collect()
}

fn folded(path: String, folds_case: bool) -> String {
    if folds_case { path.to_lowercase() } else { path }
}

#[cfg(test)]
mod tests;
