//! What a case gives: the configuration file, and what the servers offer.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::Value;

use super::Case;

/// A value as `placet.toml` takes it on one line.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{} = {}", Value::from(key.as_str()), toml(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

impl Case {
    /// Whether it gives a `placet.toml` as its author would write it.
    pub fn is_file(&self) -> bool {
        self.given["file"].is_string()
    }

    /// The servers that it has.
    pub fn servers(&self) -> BTreeSet<String> {
        let Some(file) = self.given["file"].as_str() else { return BTreeSet::from(["crm".to_owned()]) };
        tables(file, "servers")
    }

    /// The agents that it has.
    pub fn agents(&self) -> BTreeSet<String> {
        let Some(file) = self.given["file"].as_str() else { return BTreeSet::from(["support".to_owned()]) };
        tables(file, "agents")
    }

    /// The configuration file that it gives, in which each server has the command that is said for it.
    pub fn config(&self, command: impl Fn(&str) -> String) -> String {
        match self.given["file"].as_str() {
            Some(file) => with_commands(file, command),
            None => self.in_words(&command("crm")),
        }
    }

    /// The file of a case that has none: what it gives in words.
    fn in_words(&self, command: &str) -> String {
        let trusted = if self.given["trusted"].as_bool() == Some(true) { "trusted = true\n" } else { "" };
        let mut text = format!("[servers.crm]\ncommand = {command}\n{trusted}[servers.crm.tools]\n");
        for (tool, terms) in self.given["tools"].as_object().into_iter().flatten() {
            writeln!(text, "{tool} = {}", toml(terms)).expect("text");
        }
        let agent = &self.given["agent"];
        let disclose = agent["disclose"].as_str().unwrap_or("full");
        writeln!(text, "[agents.support]\ndisclose = \"{disclose}\"").expect("text");
        if let Some(levels) = agent["levels"].as_array() {
            writeln!(text, "levels = {}", Value::from(levels.clone())).expect("text");
        }
        for list in ["allow", "deny"] {
            if let Some(tools) = agent[list].as_array() {
                let full: Vec<_> =
                    tools.iter().map(|tool| format!("\"crm/{}\"", tool.as_str().expect("a tool"))).collect();
                writeln!(text, "{list} = [{}]", full.join(", ")).expect("text");
            }
        }
        if let Some(guards) = self.given["guards"].as_object() {
            text.push_str("[guards]\n");
            for (scope, guard) in guards {
                let guard = match guard["forbid"].as_str() {
                    Some(words) => format!("{{ forbid = \"{words}\" }}"),
                    None => guard.to_string(),
                };
                writeln!(text, "\"{scope}\" = {guard}").expect("text");
            }
        }
        for table in ["budgets", "trips"] {
            for entry in self.given[table].as_array().into_iter().flatten() {
                writeln!(text, "[[{table}]]").expect("text");
                for (key, value) in entry.as_object().into_iter().flatten() {
                    writeln!(text, "{key} = {}", toml(value)).expect("text");
                }
            }
        }
        if let Some(session) = self.given["session"].as_object() {
            text.push_str("[session]\n");
            for (key, value) in session {
                writeln!(text, "{key} = {}", toml(value)).expect("text");
            }
        }
        text
    }

    /// Whether everything is stopped.
    pub fn stopped(&self) -> bool {
        self.given["stopped"].as_bool() == Some(true)
    }

    /// What a server offers, as the result of `tools/list`.
    pub fn offers(&self, server: &str) -> String {
        let offer =
            |(tool, schema): (&str, &Value)| serde_json::json!({ "name": tool, "inputSchema": schema });
        let tools: Vec<_> = match self.given["schemas"].as_object() {
            Some(schemas) => schemas
                .iter()
                .filter_map(|(tool, schema)| Some((tool.strip_prefix(server)?.strip_prefix('/')?, schema)))
                .map(offer)
                .collect(),
            None => {
                let schema = &self.given["schema"];
                let none = serde_json::json!({ "type": "object" });
                let schema = if schema.is_null() { &none } else { schema };
                let levelled =
                    self.given["tools"].as_object().into_iter().flatten().map(|(tool, _)| tool.as_str());
                let besides = self.given["offers"].as_array().into_iter().flatten().filter_map(Value::as_str);
                levelled.chain(besides).map(|tool| offer((tool, schema))).collect()
            }
        };
        serde_json::json!({ "tools": tools }).to_string()
    }
}

/// The names of the tables of a file that stand right below this one.
fn tables(file: &str, above: &str) -> BTreeSet<String> {
    let names = file.lines().filter_map(|line| {
        let name =
            line.trim().strip_prefix('[')?.strip_prefix(above)?.strip_prefix('.')?.strip_suffix(']')?;
        (!name.contains('.')).then(|| name.to_owned())
    });
    names.collect()
}

/// The file, with its command in the table of each server.
fn with_commands(file: &str, command: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for line in file.lines() {
        text.push_str(line);
        text.push('\n');
        for server in tables(line, "servers") {
            writeln!(text, "command = {}", command(&server)).expect("text");
        }
    }
    text
}
