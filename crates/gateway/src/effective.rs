//! What a file means with everything that it leaves open filled in, and where each value comes from.
//!
//! The model is written out as a file, and each key that is left to its default is added; so what is shown reads back
//! as the same model. A value's origin is found by its key in the text that the person wrote.
//!
//! Not here: what the defaults are for (the engine's `config`). Start at [`Effective::of`].

use std::collections::BTreeSet;

use placet_engine::policy::config::{
    Approvers, Comments, Config, Disclose, Integers, Part, Reload, Text, terms, write,
};
use toml_edit::{Document, DocumentMut, Item, Table, TableLike, Value};

/// What stands in place of a value that may be a secret.
const HIDDEN: &str = "(not shown)";

/// A file with its defaults.
#[derive(Debug)]
pub struct Effective {
    document: DocumentMut,
    defaults: BTreeSet<Vec<Step>>,
}

/// One step into a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    At(usize),
}

/// One value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its key, from the top.
    pub key: String,
    /// The value, as the file would have it.
    pub value: String,
    /// The line on which it was written, from 1; none if it is a default.
    pub line: Option<usize>,
}

impl Effective {
    /// What a file means. Literal values of servers' environments are hidden.
    ///
    /// # Errors
    ///
    /// A fault of ours: what is written cannot be read.
    pub fn of(config: &Config) -> Result<Self, String> {
        let mut shown = config.clone();
        for server in shown.servers.values_mut() {
            for text in server.launch.env.values_mut().filter(|text| is_literal(text)) {
                *text = Text::literal(HIDDEN);
            }
        }
        Self::with_defaults(&shown)
    }

    fn with_defaults(config: &Config) -> Result<Self, String> {
        let text = write(config, &Comments::default());
        let document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
        let mut effective = Self { document, defaults: BTreeSet::new() };
        effective.fill();
        Ok(effective)
    }

    /// Every value, in the order of the file, with where it stands in `source`.
    pub fn lines(&self, source: &str) -> Vec<Line> {
        let source = Document::parse(source).ok();
        let mut lines = Vec::new();
        let mut way = Vec::new();
        self.walk(self.document.as_item(), &mut way, &mut |way, value| {
            let line = match &source {
                Some(source) if !self.defaults.contains(way) => origin(source, way),
                Some(_) | None => None,
            };
            lines.push(Line { key: shown(way), value: value.to_string().trim().to_owned(), line });
        });
        lines
    }

    fn walk(&self, item: &Item, way: &mut Vec<Step>, tell: &mut dyn FnMut(&[Step], &Value)) {
        if let Some(table) = item.as_table_like() {
            for (key, below) in table.iter() {
                way.push(Step::Key(key.to_owned()));
                self.walk(below, way, tell);
                way.pop();
            }
        } else if let Some(tables) = item.as_array_of_tables() {
            for (at, table) in tables.iter().enumerate() {
                way.push(Step::At(at));
                self.walk(&Item::Table(table.clone()), way, tell);
                way.pop();
            }
        } else if let Some(value) = item.as_value() {
            match value.as_array() {
                // A list of tables is a table each; any other list is one value.
                Some(list) if !list.is_empty() && list.iter().all(Value::is_inline_table) => {
                    for (at, value) in list.iter().enumerate() {
                        way.push(Step::At(at));
                        self.walk(&Item::Value(value.clone()), way, tell);
                        way.pop();
                    }
                }
                Some(_) | None => tell(way, value),
            }
        }
    }

    /// Adds each key that the file leaves to its default.
    fn fill(&mut self) {
        let usual = terms::SessionTerms::default();
        let length = |seconds: u64| format!("{}m", seconds / 60);
        let zone = placet_engine::window::Zone::default();
        let top = [
            ("version", Value::from(1)),
            ("tenant", Value::from("default")),
            ("reload", Value::from(Reload::default().as_str())),
            ("zone", Value::from(zone.as_str())),
        ];
        let root = self.document.as_table_mut();
        let mut added = Vec::new();
        add(root, &[], &top, &mut added);
        for (name, keys) in [
            ("session", vec![("idle", length(usual.idle.as_secs())), ("max", length(usual.max.as_secs()))]),
            (
                "durability",
                [("reads", "queue"), ("write", "flush"), ("execute", "flush"), ("delete", "flush")]
                    .map(|(key, word)| (key, word.to_owned()))
                    .to_vec(),
            ),
        ] {
            let table = root.entry(name).or_insert(Item::Table(Table::new()));
            let keys: Vec<_> = keys.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
            if let Some(table) = table.as_table_like_mut() {
                add(table, &[Step::Key(name.to_owned())], &keys, &mut added);
            }
        }
        let list = || Value::from(toml_edit::Array::new());
        let each: [(&str, Vec<(&str, Value)>); 4] = [
            (
                "servers",
                vec![
                    ("cwd", "node".into()),
                    ("trusted", false.into()),
                    ("requests", list()),
                    ("meta", list()),
                    ("integers", Integers::default().as_str().into()),
                ],
            ),
            ("clients", vec![("sessions", false.into())]),
            (
                "agents",
                vec![
                    ("levels", list()),
                    ("allow", list()),
                    ("deny", list()),
                    ("disclose", Disclose::default().as_str().into()),
                    ("observe", false.into()),
                ],
            ),
            ("approvers", vec![("expires", length(Approvers::default().expires.as_secs()).into())]),
        ];
        for (name, keys) in &each {
            let Some(tables) = root.get_mut(name).and_then(Item::as_table_like_mut) else { continue };
            for (entry, table) in tables.iter_mut() {
                let way = [Step::Key((*name).to_owned()), Step::Key(entry.get().to_owned())];
                let Some(table) = table.as_table_like_mut() else { continue };
                add(table, &way, keys, &mut added);
                if *name == "servers" {
                    tools(table, &way, &mut added);
                }
            }
        }
        if let Some(budgets) = root.get_mut("budgets").and_then(Item::as_array_of_tables_mut) {
            let warn: toml_edit::Array = terms::Budget::WARN.iter().map(|mark| i64::from(*mark)).collect();
            let keys = [("over", Value::from("deny")), ("warn", Value::from(warn))];
            for (at, budget) in budgets.iter_mut().enumerate() {
                let way = [Step::Key("budgets".to_owned()), Step::At(at)];
                add(budget, &way, &keys, &mut added);
            }
        }
        self.defaults.extend(added);
    }
}

/// Tools that are a level alone become tables, so that their defaults have a place.
fn tools(server: &mut dyn TableLike, way: &[Step], added: &mut Vec<Vec<Step>>) {
    let keys: [(&str, Value); 6] = [
        ("once", "none".into()),
        ("repeat", false.into()),
        ("labels", toml_edit::Array::new().into()),
        ("canary", false.into()),
        ("result_max", format!("{} MiB", terms::Tool::RESULT_MAX >> 20).into()),
        ("deadline", format!("{}m", terms::Tool::DEADLINE.as_secs() / 60).into()),
    ];
    let Some(tools) = server.get_mut("tools").and_then(Item::as_table_like_mut) else { return };
    for (name, tool) in tools.iter_mut() {
        if let Some(level) = tool.as_str() {
            let mut table = Table::new();
            table.insert("level", Item::Value(level.into()));
            *tool = Item::Table(table);
        }
        let way: Vec<Step> = way
            .iter()
            .cloned()
            .chain([Step::Key("tools".to_owned()), Step::Key(name.get().to_owned())])
            .collect();
        if let Some(tool) = tool.as_table_like_mut() {
            add(tool, &way, &keys, added);
        }
    }
}

fn add(table: &mut dyn TableLike, way: &[Step], keys: &[(&str, Value)], added: &mut Vec<Vec<Step>>) {
    for (key, value) in keys {
        if table.get(key).is_none() {
            table.insert(key, Item::Value(value.clone()));
            added.push(way.iter().cloned().chain([Step::Key((*key).to_owned())]).collect());
        }
    }
}

/// Whether it holds letters of its own, which may be a secret.
fn is_literal(text: &Text) -> bool {
    text.parts().iter().any(|part| match part {
        Part::Literal(_) => true,
        Part::Env(_) | Part::File(_) => false,
    })
}

/// The line on which the value at the end of this way was written. What is written in a shorter form stands on the
/// line of that.
fn origin(source: &Document<&str>, way: &[Step]) -> Option<usize> {
    let mut item = source.as_item().clone();
    for step in way {
        let below = match step {
            Step::Key(key) => {
                // A list of one table may be written out as that table.
                let only = item.as_array().filter(|list| list.len() == 1).and_then(|list| list.get(0));
                if let Some(only) = only.filter(|only| only.is_inline_table()) {
                    item = Item::Value(only.clone());
                }
                match item.as_table_like() {
                    Some(table) => Some(table.get(key)?.clone()),
                    None => None,
                }
            }
            Step::At(at) => match (item.as_array_of_tables(), item.as_array()) {
                (Some(tables), _) => tables.get(*at).map(|table| Item::Table(table.clone())),
                (None, Some(list)) => list.get(*at).map(|value| Item::Value(value.clone())),
                (None, None) => None,
            },
        };
        match below {
            Some(below) => item = below,
            None => break,
        }
    }
    let start = item.span()?.start;
    Some(source.raw().get(..start)?.bytes().filter(|byte| *byte == b'\n').count() + 1)
}

fn shown(way: &[Step]) -> String {
    let mut text = String::new();
    for step in way {
        match step {
            Step::At(at) => text.push_str(&format!("[{at}]")),
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
                match !key.is_empty() && key.bytes().all(bare) {
                    true => text.push_str(key),
                    false => text.push_str(&Value::from(key.as_str()).to_string()),
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_engine::policy::config::read;

    const FILE: &str = r#"# a file
[servers.crm]
command = ["crm"]
env = { TOKEN = "very secret", KEY = "${file:/run/key}" }
[servers.crm.tools]
read_user = "read"
refund = { level = "write", repeat = true }
[agents.support]
levels = ["read"]
[guards]
delete = "approval:oncall"
"crm/refund" = [
  { when = "args.amount > 1", forbid = "no" },
]
[[budgets]]
name = "day"
for = "all"
per = "day"
calls = 5
"#;

    #[test]
    fn what_is_shown_reads_back_as_the_same_model() {
        let config = read(FILE).config.unwrap();
        let text = Effective::with_defaults(&config).unwrap().document.to_string();
        let back = read(&text);
        assert_eq!(back.config, Some(config), "{:?}\n{text}", back.findings);
        let empty = read("").config.unwrap();
        let text = Effective::with_defaults(&empty).unwrap().document.to_string();
        assert_eq!(read(&text).config, Some(empty), "{text}");
    }

    #[test]
    fn each_value_has_its_line_or_is_a_default_and_no_secret_is_shown() {
        let lines = Effective::of(&read(FILE).config.unwrap()).unwrap().lines(FILE);
        let found = |key: &str| {
            let line =
                lines.iter().find(|line| line.key == key).unwrap_or_else(|| panic!("{key}: {lines:#?}"));
            (line.value.as_str(), line.line)
        };
        for (key, value, line) in [
            ("servers.crm.command", "[\"crm\"]", Some(3)),
            ("servers.crm.env.TOKEN", "\"(not shown)\"", Some(4)),
            ("servers.crm.env.KEY", "\"${file:/run/key}\"", Some(4)),
            ("servers.crm.trusted", "false", None),
            ("servers.crm.tools.read_user.level", "\"read\"", Some(6)),
            ("servers.crm.tools.read_user.canary", "false", None),
            ("servers.crm.tools.refund.repeat", "true", Some(7)),
            ("servers.crm.tools.refund.deadline", "\"10m\"", None),
            ("agents.support.levels", "[\"read\"]", Some(9)),
            ("agents.support.disclose", "\"reason\"", None),
            ("guards.delete", "\"approval:oncall\"", Some(11)),
            ("guards.\"crm/refund\".when", "\"args.amount > 1\"", Some(13)),
            ("budgets[0].calls", "5", Some(19)),
            ("budgets[0].over", "\"deny\"", None),
            ("session.idle", "\"30m\"", None),
            ("reload", "\"apply\"", None),
        ] {
            assert_eq!(found(key), (value, line), "{key}");
        }
        assert!(lines.iter().all(|line| !line.value.contains("very secret")));
    }
}
