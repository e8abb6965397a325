//! Reading: from the text of a `placet.toml` to its [`Config`], or to everything that is wrong with it.
//!
//! All mistakes are found at once. A name is looked up among the names as they are written, so that a mistake
//! inside a table is not followed by complaints about everything that refers to it. What the design names but
//! this version does not read is an error too (`keys.rs`): nothing of the file is ever skipped.
//!
//! Not here: which tools the servers really have (that is `placet.lock`'s), and files, which the caller
//! reads. Start at [`read`].

mod agents;
mod budgets;
mod field;
mod guards;
mod invariants;
mod keys;
mod known;
mod matches;
mod nesting;
mod node;
mod payloads;
mod people;
mod policy_tests;
mod quantities;
mod references;
mod servers;
#[cfg(test)]
mod tests;
mod tools;
mod trips;

pub use self::quantities::length;
use self::{
    field::{A_TEXT, Field, Node, Reader},
    known::Known,
};
use super::Config;
use crate::{
    diagnostic::Finding,
    level::{Level, LevelSet},
    names::NameError,
    window::{UnknownZone, Zone},
};
use std::{ops::Range, str::FromStr};
use toml_edit::Document;

/// The largest file that is read. One with a thousand tools has a tenth of it.
pub const SOURCE_BYTES_MAX: usize = 1024 * 1024;

/// What came of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The model; `None` if any finding is an error.
    pub config: Option<Config>,
    /// Everything that there is to say about the file, in its order.
    pub findings: Vec<Finding>,
}

/// Reads a `placet.toml`.
///
/// A text that is no TOML gives its first mistake, any other text all of them. Never panics, whatever the
/// text is.
///
/// ```
/// # use placet_engine::{diagnostic::render, policy::config::read};
/// let good = read("[agents.support]\nlevels = [\"read\"]\n");
/// assert_eq!(good.config.expect("no errors").agents.len(), 1);
///
/// let source = "[agents.support]\nlevels = [\"wrte\"]\n";
/// let bad = read(source);
/// assert!(bad.config.is_none());
/// assert_eq!(render(&bad.findings, "placet.toml", source), "\
/// error: unknown level `wrte`
///   ╭─[placet.toml:2:12]
/// 2 │ levels = [\"wrte\"]
///   ·            ─┬──  help: did you mean `write`? levels are read, write, execute, delete
/// ");
/// ```
pub fn read(source: &str) -> Read {
    let refused = |finding| Read { config: None, findings: vec![finding] };
    if source.len() > SOURCE_BYTES_MAX {
        return refused(
            Finding::error("the file is larger than 1 MiB").help("a server lists its tools, not their text"),
        );
    }
    if let Some(at) = nesting::too_deep(source) {
        let message = format!("brackets are nested more than {} deep, or not closed", nesting::DEPTH_MAX);
        return refused(Finding::error(message).at(at));
    }
    let document = match Document::parse(source) {
        Ok(document) => document,
        Err(error) => {
            let finding = Finding::error(format!("this is not TOML: {}", error.message()));
            return refused(Finding { at: error.span(), ..finding });
        }
    };
    let mut reader = Reader::new(source);
    let config = reader.config(&Node::of(document.as_item()));
    Read { config: config.filter(|_| !reader.has_errors()), findings: reader.into_findings() }
}

impl<'a> Reader<'a> {
    fn config(&mut self, root: &Node<'a>) -> Option<Config> {
        let root = root.as_table()?;
        let known = Known::of(root);
        let top = self.fields_of(root, "", &keys::TOP);
        if let Some(field) = top.get("version") {
            self.version(&field);
        }
        if let Some(field) = top.get("tenant") {
            self.tenant(&field);
        }
        let mut tables = |name| top.get(name).map(|field| self.entries(&field)).unwrap_or_default();
        let (servers, clients, agents) = (tables("servers"), tables("clients"), tables("agents"));
        let (guards, matches) = (tables("guards"), tables("match"));
        let (approvers, people) = (tables("approvers"), tables("people"));
        let mut lists = |name| top.get(name).map(|field| self.tables(&field)).unwrap_or_default();
        let (budgets, trips, tests) = (lists("budgets"), lists("trips"), lists("test"));
        let invariants = lists("invariants");
        if let Some(fail) = top.get("fail") {
            self.fail(&fail);
        }
        let mut config = Config {
            state: top.get("state").and_then(|field| self.path(&field)),
            servers: servers.iter().filter_map(|field| self.server(field)).collect(),
            clients: self.clients(&clients, &known),
            agents: agents.iter().filter_map(|field| self.agent(field, &known)).collect(),
            guards: self.guards(&guards, &known),
            approvers: approvers
                .iter()
                .filter_map(|field| Some((self.name(field)?, self.approvers(field)?)))
                .collect(),
            people: self.people(&people, &known),
            zone: top.get("zone").and_then(|field| self.zone(&field)).unwrap_or_default(),
            budgets: Vec::new(),
            trips: self.trips(&trips, &known),
            session: top.get("session").map(|field| self.session(&field)).unwrap_or_default(),
            matches: self.matches(&matches),
            durability: top.get("durability").map(|field| self.durability(&field)).unwrap_or_default(),
            invariants: Vec::new(),
            tests: self.policy_tests(&tests, &known),
            payloads: top.get("payloads").and_then(|field| self.payloads(&field)),
            reload: top.get("reload").and_then(|field| self.reload(&field)).unwrap_or_default(),
        };
        config.budgets = self.budgets(&budgets, &known, &config);
        if config.people.len() == people.len() {
            self.too_few(&config.people);
        }
        config.invariants = self.invariants(&invariants, &known, &config);
        Some(config)
    }

    fn version(&mut self, field: &Field<'a>) {
        match field.node.as_integer() {
            Some(1) => {}
            Some(other) => {
                let finding = Finding::error(format!("version {other} of this file is not known here"));
                self.found(&field.at, finding.help("this is version 1"));
            }
            None => self.mistyped(field, "a whole number", Some("write `version = 1`".to_owned())),
        }
    }

    fn tenant(&mut self, field: &Field<'a>) {
        if self.text(field, A_TEXT).is_some_and(|tenant| tenant != "default") {
            let finding = Finding::error("a `tenant` other than `default` is not built yet in this version");
            self.found(&field.at, finding.help("run one node for each tenant until then"));
        }
    }

    fn zone(&mut self, field: &Field<'a>) -> Option<Zone> {
        let text = self.text(field, A_TEXT)?;
        let unknown = |error: UnknownZone| Finding::error(error.to_string()).help(error.help());
        text.parse().map_err(|error| self.found(&field.at, unknown(error))).ok()
    }

    /// A path as the operating system may be given it.
    fn path(&mut self, field: &Field<'a>) -> Option<String> {
        let path = self.text(field, A_TEXT)?;
        if path.is_empty() {
            self.found(&field.at, Finding::error(format!("`{}` is empty", field.name)));
        }
        self.without_nul(field, path);
        Some(path.to_owned())
    }

    fn without_nul(&mut self, field: &Field<'a>, text: &str) {
        if text.contains('\0') {
            let finding = Finding::error(format!("`{}` contains a NUL character", field.name));
            self.found(&field.at, finding.help("no program can be given one"));
        }
    }

    /// The name in a key.
    fn name<T: FromStr<Err = NameError>>(&mut self, field: &Field<'a>) -> Option<T> {
        self.name_in(field.name, &field.key)
    }

    /// The name in a value.
    fn named<T: FromStr<Err = NameError>>(&mut self, field: &Field<'a>) -> Option<T> {
        let text = self.text(field, A_TEXT)?;
        self.name_in(text, &field.at)
    }

    fn name_in<T: FromStr<Err = NameError>>(&mut self, text: &str, at: &Range<usize>) -> Option<T> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                let finding = Finding::error(format!("the name `{text}` cannot be used"));
                self.found(at, finding.help(error.to_string()));
                None
            }
        }
    }

    fn level(&mut self, field: &Field<'a>, wanted: &str) -> Option<Level> {
        let text = self.text(field, wanted)?;
        let level = text.parse().ok();
        if level.is_none() {
            let help = self.level_help(text);
            self.found(&field.at, Finding::error(format!("unknown level `{text}`")).help(help));
        }
        level
    }

    fn level_help(&mut self, word: &str) -> String {
        const LEVELS: &str = "levels are read, write, execute, delete";
        match self.near(word, Level::ALL.into_iter().map(Level::as_str)) {
            Some(near) => format!("{near} {LEVELS}"),
            None => LEVELS.to_owned(),
        }
    }

    fn levels(&mut self, field: &Field<'a>) -> LevelSet {
        let elements = self.list_of(field, "a list of levels").unwrap_or_default();
        elements.iter().filter_map(|element| self.level(element, "a list of levels")).collect()
    }
}
