//! Tools: what each does, what a call of it costs, and whether it may happen twice.
//!
//! What a server's result says of a cost lowers what is charged, so it is read only where the operator says
//! that the server is trusted. A look-up that is to tell whether a call happened must be a tool that reads:
//! asking must not be another thing that happens.
//!
//! Start at [`Reader::tool`].

use super::{
    super::{
        At,
        terms::{Key, Once, Reconcile, Tool},
    },
    field::{A_TEXT, Field, Node, Reader},
    keys,
};
use crate::{
    cost::{Expression, Path},
    diagnostic::Finding,
    level::Level,
    names::{Label, ToolName, Unit},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What a tool's table may refer to beside it.
pub(super) struct Siblings<'r, 'a> {
    /// The server's name.
    pub(super) server: &'a str,
    /// Whether its results are believed.
    pub(super) trusted: bool,
    /// All tools of the server.
    pub(super) tools: &'r [Field<'a>],
}

/// The words for what makes two calls the same, where it is not the values of arguments.
const KEYS: [(&str, Key); 3] = [("none", Key::Sent), ("required", Key::Required), ("derived", Key::Derived)];

/// A year, beyond which nobody knows what a call was.
const WITHIN_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl<'a> Reader<'a> {
    pub(super) fn tool(
        &mut self,
        field: &Field<'a>,
        siblings: &Siblings<'_, 'a>,
    ) -> Option<(ToolName, At<Tool>)> {
        let name = self.name(field);
        let tool = match field.node.as_table() {
            None => self.level(field, "a level or a table").map(Tool::from),
            Some(_) => self.tool_table(field, siblings),
        };
        Some((name?, At { value: tool?, line: self.line(field.key.start) }))
    }

    fn tool_table(&mut self, field: &Field<'a>, siblings: &Siblings<'_, 'a>) -> Option<Tool> {
        let server = siblings.server;
        let table = self.fields(field, &format!("servers.{server}.tools.{}", field.name), &keys::TOOL)?;
        let level = match table.get("level") {
            Some(level) => self.level(&level, "a level"),
            None => {
                let finding = Finding::error(format!("tool `{server}/{}` has no `level`", field.name));
                self.found(&field.key, finding.help("levels are read, write, execute, delete"));
                None
            }
        };
        let cost = table.get("cost");
        let priced: Vec<&str> = cost.iter().flat_map(|cost| names(cost)).collect();
        let cost = cost.map(|cost| self.costs(&cost)).unwrap_or_default();
        let actual = table.get("actual").map(|actual| self.actual(&actual, &priced, siblings));
        let once = table.get("once").and_then(|once| self.once(&once, siblings));
        let repeat = table.get("repeat").and_then(|repeat| self.truth(&repeat));
        let labels = table.get("labels").map(|labels| self.labels(&labels));
        let canary = table.get("canary").and_then(|canary| self.truth(&canary));
        let result_max = table.get("result_max").and_then(|most| self.size(&most, Tool::RESULT_MOST));
        let deadline_bounds = Duration::from_secs(1)..=Tool::DEADLINE_MOST;
        let deadline = table.get("deadline").and_then(|time| self.length_of_time(&time, deadline_bounds));
        Some(Tool {
            level: level?,
            cost,
            actual: actual.unwrap_or_default(),
            once: once.unwrap_or_default(),
            repeat: repeat.unwrap_or(false),
            labels: labels.unwrap_or_default(),
            canary: canary.unwrap_or(false),
            result_max: result_max.unwrap_or(Tool::RESULT_MAX),
            deadline: deadline.unwrap_or(Tool::DEADLINE),
        })
    }

    fn costs(&mut self, field: &Field<'a>) -> BTreeMap<Unit, Expression> {
        let mut costs = BTreeMap::new();
        for entry in self.entries(field) {
            let unit = self.unit(entry.name, &entry.key);
            let Some(text) = self.text(&entry, A_TEXT) else { continue };
            match text.parse::<Expression>() {
                Ok(cost) => costs.extend(unit.map(|unit| (unit, cost))),
                Err(error) => {
                    let finding = Finding::error(format!("`{text}` cannot be read as a cost"));
                    self.found(&entry.at, finding.help(error.to_string()));
                }
            }
        }
        costs
    }

    fn actual(
        &mut self,
        field: &Field<'a>,
        priced: &[&str],
        siblings: &Siblings<'_, 'a>,
    ) -> BTreeMap<Unit, Path> {
        if !siblings.trusted {
            let server = siblings.server;
            let message = format!("server `{server}` is not trusted to say what a call did cost");
            let help = format!("write `trusted = true` in `[servers.{server}]` if its results are believed");
            self.found(&field.key, Finding::error(message).help(help));
        }
        let mut actual = BTreeMap::new();
        for entry in self.entries(field) {
            let Some(path) = self.path_of(&entry, "result") else { continue };
            if !priced.contains(&entry.name) {
                let finding = Finding::error(format!("there is no `cost` in `{}`", entry.name));
                let help = "say first what a call costs at most: that is what is set aside for it";
                self.found(&entry.key, finding.help(help));
            }
            actual.extend(self.unit(entry.name, &entry.key).map(|unit| (unit, path)));
        }
        actual
    }

    /// A path into the arguments or into the result.
    fn path_of(&mut self, field: &Field<'a>, root: &str) -> Option<Path> {
        let text = self.text(field, A_TEXT)?;
        let path = match text.parse::<Path>() {
            Ok(path) => path,
            Err(error) => {
                let finding = Finding::error(format!("`{text}` cannot be read as a path"));
                self.found(&field.at, finding.help(error.to_string()));
                return None;
            }
        };
        if path.root() != root {
            let finding = Finding::error(format!("the path of `{}` begins with `{root}`", field.name));
            let help = match root {
                "args" => "it is a place in the call's arguments, as in `args.order_id`",
                _ => "it is a place in the structured result, as in `result.charged`",
            };
            self.found(&field.at, finding.help(help));
            return None;
        }
        Some(path)
    }

    fn once(&mut self, field: &Field<'a>, siblings: &Siblings<'_, 'a>) -> Option<Once> {
        if field.node.as_text().is_some() {
            let by = self.choice(field, &KEYS)?;
            return Some(Once { within: within(&by), by, ..Once::default() });
        }
        if field.node.as_table().is_none() {
            self.mistyped(field, "none, required, derived, or a table", None);
            return None;
        }
        let table = self.fields(field, "once", &keys::ONCE)?;
        let by = match (table.get("key"), table.get("by")) {
            (Some(key), None) => self.choice(&key, &KEYS),
            (None, Some(by)) => self.business_key(&by),
            (None, None) => Some(Key::Sent),
            (Some(_), Some(by)) => {
                let finding = Finding::error("`once` has either `key` or `by`, not both");
                self.found(&by.key, finding.help("`by` holds whoever calls; a key is the caller's own"));
                None
            }
        };
        let forward = table.get("forward").and_then(|forward| self.argument_name(&forward));
        let reconcile = table.get("reconcile").and_then(|reconcile| self.reconcile(&reconcile, siblings));
        let by = by?;
        // A caller that tries again after a night must not find its key forgotten.
        let least = match by {
            Key::Sent | Key::Required => Once::WITHIN,
            Key::Derived | Key::By(_) => Duration::from_secs(1),
        };
        let within = match table.get("within") {
            Some(length) => self.length_of_time(&length, least..=WITHIN_MAX)?,
            None => within(&by),
        };
        Some(Once { by, within, forward, reconcile })
    }

    fn business_key(&mut self, field: &Field<'a>) -> Option<Key> {
        let elements = self.list_of(field, "a list of paths")?;
        if elements.is_empty() {
            let finding = Finding::error("`by` names no argument");
            self.found(&field.at, finding.help("as in `by = [\"args.invoice_id\"]`"));
            return None;
        }
        let paths: Vec<Path> = elements.iter().filter_map(|element| self.path_of(element, "args")).collect();
        (paths.len() == elements.len()).then_some(Key::By(paths))
    }

    fn argument_name(&mut self, field: &Field<'a>) -> Option<String> {
        let name = self.text(field, A_TEXT)?;
        if name.is_empty() {
            let finding = Finding::error(format!("`{}` names no argument", field.name));
            self.found(&field.at, finding.help("as in `forward = \"idempotency_key\"`"));
            return None;
        }
        Some(name.to_owned())
    }

    fn reconcile(&mut self, field: &Field<'a>, siblings: &Siblings<'_, 'a>) -> Option<Reconcile> {
        let table = self.fields(field, "reconcile", &keys::RECONCILE)?;
        let missing = |reader: &mut Self, key: &str, example: &str| {
            let finding = Finding::error(format!("`reconcile` has no `{key}`"));
            reader.found(&field.at, finding.help(format!("as in `{key} = \"{example}\"`")));
        };
        let tool = match table.get("tool") {
            Some(tool) => self.look_up(&tool, siblings),
            None => {
                missing(self, "tool", "get_refund");
                None
            }
        };
        let mut arguments = BTreeMap::new();
        for entry in table.get("args").map(|args| self.entries(&args)).unwrap_or_default() {
            arguments.extend(self.path_of(&entry, "args").map(|path| (entry.name.to_owned(), path)));
        }
        let happened = match table.get("happened") {
            Some(happened) => self.path_of(&happened, "result"),
            None => {
                missing(self, "happened", "result.found");
                None
            }
        };
        Some(Reconcile { tool: tool?, arguments, happened: happened? })
    }

    /// A tool of the same server that only reads.
    fn look_up(&mut self, field: &Field<'a>, siblings: &Siblings<'_, 'a>) -> Option<ToolName> {
        let name = self.text(field, A_TEXT)?;
        let Some(tool) = siblings.tools.iter().find(|tool| tool.name == name) else {
            let server = siblings.server;
            let help = self.near(name, siblings.tools.iter().map(|tool| tool.name));
            let help =
                help.unwrap_or_else(|| format!("list it in `[servers.{server}.tools]` with its level"));
            let finding = Finding::error(format!("tool `{server}/{name}` is not in the catalogue"));
            self.found(&field.at, finding.help(help));
            return None;
        };
        let level = match tool.node.as_table() {
            Some(table) => table.get("level").and_then(|level| Node::of(level).as_text()),
            None => tool.node.as_text(),
        };
        // A level that cannot be read is said where it stands.
        if let Some(level) =
            level.and_then(|level| level.parse::<Level>().ok()).filter(|level| *level != Level::Read)
        {
            let finding = Finding::error(format!("tool `{}/{name}` is of level {level}", siblings.server));
            self.found(&field.at, finding.help("a look-up only reads: name a tool of level read"));
            return None;
        }
        name.parse().ok()
    }

    fn labels(&mut self, field: &Field<'a>) -> BTreeSet<Label> {
        let texts = self.texts(field).unwrap_or_default();
        texts.iter().filter_map(|(text, element)| self.name_in(text, &element.at)).collect()
    }
}

/// How long a key is remembered unless the file says otherwise.
fn within(key: &Key) -> Duration {
    match key {
        Key::Sent | Key::Required => Once::WITHIN,
        Key::Derived => Once::DERIVED_WITHIN,
        Key::By(_) => Once::BY_WITHIN,
    }
}

/// The keys of a table, as they are written.
fn names<'a>(field: &Field<'a>) -> Vec<&'a str> {
    field.node.as_table().map(|table| table.iter().map(|(name, _)| name).collect()).unwrap_or_default()
}
