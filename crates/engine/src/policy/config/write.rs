//! Writing: from a [`Config`] to the text of a `placet.toml` that a person likes to read and edit.
//!
//! The promise: [`super::read()`] of what is written gives the same model again, whatever stands in its
//! texts. Texts from elsewhere (commands, variables, descriptions of tools) enter the file only as an escaped
//! value or as a comment of one line, in which everything that is not plainly visible is written out.
//!
//! Not here: editing a file that exists. Start at [`write()`].

use super::{
    Agent, At, Client, Config, Cwd, Disclose, Guard, GuardEffect, Integers, Pattern, Reload, Scope, Server,
    ServerRequest,
};
use crate::{
    diagnostic::{acts, first_of, inert},
    level::LevelSet,
    names::{ServerName, ToolName},
    window::Zone,
};
use std::{collections::BTreeMap, fmt::Display, time::Duration};

mod invariants;
mod matches;
mod people;
mod policy_tests;
mod terms;

/// What is said in comments, from wherever it comes: it is cut, and everything invisible in it is written
/// out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments {
    /// The lines at the top of the file.
    pub header: Vec<String>,
    /// What stands beside a tool.
    pub tools: BTreeMap<(ServerName, ToolName), String>,
}

/// The longest comment, in characters as they are shown.
const COMMENT_CHARS_MAX: usize = 100;

/// The widest key that others are aligned to.
const ALIGNED_MAX: usize = 40;

/// The widest list or table that stands on one line.
const LINE_CHARS_MAX: usize = 100;

/// Prints a model as a file.
///
/// Guards of one scope are printed together, where the first of them stands. A model that [`super::read()`]
/// would refuse (a client of an unknown agent, say) is printed as it is, and refused when it is read back.
///
/// ```
/// # use placet_engine::policy::config::{Comments, read, write};
/// let config = read("[agents.support]\nlevels = ['read']").config.expect("no errors");
/// let text = write(&config, &Comments::default());
/// assert!(text.contains("[agents.support]\nlevels = [\"read\"]\n"));
/// assert_eq!(read(&text).config, Some(config));
/// ```
pub fn write(config: &Config, comments: &Comments) -> String {
    let mut page = Page(String::new());
    for line in &comments.header {
        page.line(comment(line));
    }
    if let Some(state) = &config.state {
        page.gap();
        page.line(format!("state = {}", quoted(state)));
    }
    match config.reload {
        Reload::Apply => {}
        Reload::Auto => page.line(format!("reload = {}", quoted(config.reload.as_str()))),
    }
    if config.zone != Zone::default() {
        page.line(format!("zone = {}", quoted(config.zone.as_str())));
    }
    let about = [
        "Servers: how each is started, and what each of its tools does.",
        "A tool that is not listed is unknown, and cannot be called.",
    ];
    page.section(&config.servers, &about);
    for (name, server) in &config.servers {
        page.server(name, server, comments);
    }
    page.section(
        &config.clients,
        &["Clients: programs with a credential, and the agent that each stands for."],
    );
    for (name, client) in &config.clients {
        page.client(name, client);
    }
    page.section(
        &config.agents,
        &["Agents: what each may do. Every tool of its levels, and what it is allowed besides; `deny` wins."],
    );
    for (name, agent) in &config.agents {
        page.agent(name, agent);
    }
    page.section(&config.guards, &["Guards: what must also hold, by level or by tool."]);
    page.guards(&config.guards);
    page.people(config);
    page.matches(&config.matches);
    page.terms(config);
    page.invariants(&config.invariants);
    page.policy_tests(&config.tests);
    page.0
}

/// A file as far as it is written.
struct Page(String);

impl Page {
    fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
    }

    /// An empty line, but not two, and none at the top.
    fn gap(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
    }

    /// The lines above the tables of one kind, if there are any.
    fn section<'a, T: 'a>(&mut self, tables: impl IntoIterator<Item = T>, about: &[&str]) {
        if tables.into_iter().next().is_some() {
            self.gap();
            about.iter().for_each(|line| self.line(comment(line)));
        }
    }

    fn server(&mut self, name: &ServerName, server: &Server, comments: &Comments) {
        let Server { launch, tools, trusted, requests, meta, resources, integers, line: _ } = server;
        self.gap();
        self.line(format!("[servers.{name}]"));
        self.list("command", launch.command.iter().map(|word| quoted(word)));
        match &launch.cwd {
            Cwd::Node => {}
            Cwd::Client => self.line("cwd = \"client\""),
            Cwd::Path(path) => self.line(format!("cwd = {}", quoted(path))),
        }
        if *trusted {
            self.line("trusted = true");
        }
        if !requests.is_empty() {
            self.list("requests", requests.iter().copied().map(ServerRequest::as_str).map(quoted));
        }
        if !meta.is_empty() {
            self.list("meta", meta.iter().map(|key| quoted(key)));
        }
        if let Some(resources) = resources {
            self.list("resources", resources.iter().map(|glob| quoted(glob)));
        }
        match integers {
            Integers::Exact => {}
            Integers::Safe => self.line("integers = \"safe\""),
        }
        if !launch.env.is_empty() {
            self.gap();
            self.line(format!("[servers.{name}.env]"));
            let rows = launch.env.iter().map(|(name, text)| (key(name), quoted(&text.to_string()), None));
            self.rows(rows.collect());
        }
        if !tools.is_empty() {
            self.tools(name, tools, comments);
        }
    }

    fn client(&mut self, name: &impl Display, client: &Client) {
        let Client { credential, agent, servers, sessions } = client;
        self.gap();
        self.line(format!("[clients.{name}]"));
        self.line(format!("credential = \"{credential}\""));
        self.line(format!("agent = \"{agent}\""));
        self.list("servers", servers.iter().map(|server| quoted(server.as_str())));
        if *sessions {
            self.line("sessions = true");
        }
    }

    fn agent(&mut self, name: &impl Display, agent: &Agent) {
        let Agent { team, levels, allow, deny, disclose, observe, line: _ } = agent;
        self.gap();
        self.line(format!("[agents.{name}]"));
        if let Some(team) = team {
            self.line(format!("team = \"{team}\""));
        }
        self.list("levels", level_words(*levels).into_iter());
        let patterns = |list: &[At<Pattern>]| -> Vec<String> {
            list.iter().map(|At { value, line: _ }| quoted(&value.to_string())).collect()
        };
        if !allow.is_empty() {
            self.list("allow", patterns(allow).into_iter());
        }
        if !deny.is_empty() {
            self.list("deny", patterns(deny).into_iter());
        }
        match disclose {
            Disclose::Reason => {}
            Disclose::Code | Disclose::Full => self.line(format!("disclose = \"{}\"", disclose.as_str())),
        }
        if *observe {
            self.line("observe = true");
        }
    }

    fn guards(&mut self, guards: &[Guard]) {
        if guards.is_empty() {
            return;
        }
        self.gap();
        self.line("[guards]");
        for (at, first) in guards.iter().enumerate() {
            if guards.iter().take(at).any(|earlier| earlier.scope == first.scope) {
                continue;
            }
            let same: Vec<&Guard> = guards.iter().filter(|guard| guard.scope == first.scope).collect();
            let scope = key(&first.scope.to_string());
            match same.as_slice() {
                [one] => self.line(format!("{scope} = {}", guard(one))),
                several => {
                    self.line(format!("{scope} = ["));
                    several.iter().for_each(|one| self.line(format!("  {},", guard_table(one))));
                    self.line("]");
                }
            }
        }
    }

    /// A list, on one line if that is short.
    fn list(&mut self, key: &str, elements: impl Iterator<Item = String>) {
        let elements: Vec<String> = elements.collect();
        let line = format!("{key} = [{}]", elements.join(", "));
        if line.chars().count() <= LINE_CHARS_MAX {
            return self.line(line);
        }
        self.line(format!("{key} = ["));
        elements.iter().for_each(|element| self.line(format!("  {element},")));
        self.line("]");
    }

    /// Keys, values and comments, aligned as long as they are short.
    fn rows(&mut self, rows: Vec<(String, String, Option<String>)>) {
        let width = |of: fn(&(String, String, Option<String>)) -> &str| {
            let widths = rows.iter().map(|row| of(row).chars().count());
            widths.filter(|width| *width <= ALIGNED_MAX).max().unwrap_or_default()
        };
        let (keys, values) = (width(|row| &row.0), width(|row| &row.1));
        for (key, value, about) in &rows {
            match about {
                None => self.line(format!("{key:keys$} = {value}")),
                Some(about) => self.line(format!("{key:keys$} = {value:values$}  {about}")),
            }
        }
    }
}

/// A guard in its shortest form.
fn guard(guard: &Guard) -> String {
    match guard {
        Guard {
            applies_to: None,
            levels: None,
            when: None,
            id: None,
            effect: GuardEffect::Require(controls),
            ..
        } => match controls.as_slice() {
            [one] => quoted(&one.to_string()),
            [..] => guard_table(guard),
        },
        Guard { .. } => guard_table(guard),
    }
}

fn guard_table(guard: &Guard) -> String {
    let Guard { scope: _, applies_to, levels, when, id, effect, line: _ } = guard;
    let one_or_list = |words: Vec<String>| match words.as_slice() {
        [one] => one.clone(),
        [..] => format!("[{}]", words.join(", ")),
    };
    let id = id.as_ref().map(|id| format!("id = {}", quoted(id)));
    let applies_to = applies_to.as_ref().map(|applies_to| match applies_to {
        Scope::Agent(agent) => format!("for = {{ agent = \"{agent}\" }}"),
        Scope::Team(team) => format!("for = {{ team = \"{team}\" }}"),
    });
    let levels = levels.map(|levels| format!("level = {}", one_or_list(level_words(levels))));
    let when = when.as_ref().map(|when| format!("when = {}", condition(&when.to_string())));
    let effect = match effect {
        GuardEffect::Require(controls) => {
            let controls = controls.iter().map(|control| quoted(&control.to_string())).collect();
            format!("require = {}", one_or_list(controls))
        }
        GuardEffect::Forbid(words) => format!("forbid = {}", quoted(words)),
    };
    let fields: Vec<String> = [id, applies_to, levels, when, Some(effect)].into_iter().flatten().collect();
    format!("{{ {} }}", fields.join(", "))
}

fn level_words(levels: LevelSet) -> Vec<String> {
    levels.iter().map(|level| quoted(level.as_str())).collect()
}

/// The largest unit in which it is a whole number; parts of a second are lost.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(24 * 60 * 60, 'd'), (60 * 60, 'h'), (60, 'm'), (1, 's')];
    let unit = units.into_iter().find(|(unit, _)| seconds != 0 && seconds.is_multiple_of(*unit));
    let (unit, letter) = unit.unwrap_or((1, 's'));
    format!("{}{letter}", seconds / unit)
}

/// The units of a size, from the largest.
pub(super) const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// The largest unit in which it is a whole number.
pub(super) fn size(bytes: u64) -> String {
    let unit = SIZES.into_iter().find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    let (name, unit) = unit.unwrap_or(("B", 1));
    format!("{} {name}", bytes / unit)
}

/// A key as it is, or in quotes.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A text between quotes, on one line, with everything in it to be seen.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            char if acts(char) => match u32::from(char) {
                code @ ..=0xFFFF => out.push_str(&format!("\\u{code:04X}")),
                code => out.push_str(&format!("\\U{code:08X}")),
            },
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// A condition, whose own quotes are double ones: between single quotes, as long as it has none of them.
fn condition(text: &str) -> String {
    if text.contains('"') && !text.contains(|char| char == '\'' || acts(char)) {
        format!("'{text}'")
    } else {
        quoted(text)
    }
}

/// A comment of one line, `#` alone if there is nothing to say.
fn comment(text: &str) -> String {
    let text = first_of(&inert(text.trim()), COMMENT_CHARS_MAX);
    if text.is_empty() { "#".to_owned() } else { format!("# {text}") }
}

#[cfg(test)]
mod tests;
