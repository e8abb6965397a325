//! Servers: how each is started, and what it may do.
//!
//! What is started is started with exactly what the file says, so a text that no process can be given is
//! refused here. A value that may be a secret is never shown in a finding, not even as the line that it
//! stands on.
//!
//! Not here: what its tools do (`tools.rs`). Start at [`Reader::server`].

use super::{
    super::{Cwd, Integers, Launch, Server, ServerRequest, Text},
    field::{A_TEXT, Field, Reader},
    keys,
    tools::Siblings,
};
use crate::{diagnostic::Finding, names::ServerName};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Reader<'a> {
    pub(super) fn server(&mut self, field: &Field<'a>) -> Option<(ServerName, Server)> {
        let name: Option<ServerName> = self.name(field);
        if field.name == ServerName::app().as_str() {
            let finding =
                Finding::error("the name `app` is taken: it is the server of tools in our own process");
            self.found(&field.key, finding.help("call this server something else"));
        }
        let table = self.fields(field, &format!("servers.{}", field.name), &keys::SERVER)?;
        let command = match (table.get("command"), table.get("url")) {
            (Some(command), _) => self.command(&command),
            (None, Some(_)) => None,
            (None, None) => {
                let finding = Finding::error(format!("server `{}` has no `command`", field.name));
                self.found(
                    &field.at,
                    finding.help("say how it is started, as in `command = [\"python\", \"server.py\"]`"),
                );
                None
            }
        };
        let env = table.get("env").map(|env| self.env(&env, field.name));
        let cwd = table.get("cwd").and_then(|cwd| self.cwd(&cwd));
        let tools = table.get("tools").map(|tools| self.entries(&tools)).unwrap_or_default();
        let trusted = table.get("trusted").map(|trusted| self.truth(&trusted));
        // One that cannot be read is said once, and not again at each tool.
        let is_trusted = trusted.is_some_and(|trusted| trusted.unwrap_or(true));
        let siblings = Siblings { server: field.name, trusted: is_trusted, tools: &tools };
        let tools = tools.iter().filter_map(|tool| self.tool(tool, &siblings)).collect();
        let requests = table.get("requests").and_then(|requests| self.requests(&requests));
        let meta = table.get("meta").and_then(|meta| self.filled_texts(&meta));
        let resources = table.get("resources").and_then(|resources| self.filled_texts(&resources));
        let integers =
            table.get("integers").and_then(|integers| self.word(&integers, &Integers::ALL, Integers::as_str));
        let launch = Launch { command: command?, env: env.unwrap_or_default(), cwd: cwd.unwrap_or_default() };
        let line = self.line(field.at.start);
        let server = Server {
            launch,
            tools,
            trusted: is_trusted,
            requests: requests.unwrap_or_default(),
            meta: meta.unwrap_or_default(),
            resources,
            integers: integers.unwrap_or_default(),
            line,
        };
        Some((name?, server))
    }

    fn command(&mut self, field: &Field<'a>) -> Option<Vec<String>> {
        let words = self.texts(field)?;
        for (word, element) in &words {
            self.without_nul(element, word);
            if word.contains("${env:") || word.contains("${file:") {
                let finding = Finding::warning(
                    "references are not looked up in a command: this is passed as it stands",
                );
                self.found(
                    &element.at,
                    finding.help("put it into `env`; others can read a command in the list of processes"),
                );
            }
        }
        if words.first().is_none_or(|(program, _)| program.is_empty()) {
            let finding = Finding::error("`command` names no program");
            self.found(
                &field.at,
                finding.help("the program comes first, as in `command = [\"python\", \"server.py\"]`"),
            );
            return None;
        }
        Some(words.into_iter().map(|(word, _)| word.to_owned()).collect())
    }

    fn env(&mut self, field: &Field<'a>, server: &str) -> BTreeMap<String, Text> {
        let mut env = BTreeMap::new();
        for variable in self.entries(field) {
            let name = variable.name;
            if name.is_empty() || name.contains(['=', '\0']) {
                let finding = Finding::error(format!("no variable of an environment can be called `{name}`"));
                self.found(
                    &variable.key,
                    finding.help("it is not empty, and has no `=` and no NUL character"),
                );
            }
            let Some(source) = self.text(&variable, A_TEXT) else { continue };
            self.without_nul(&variable, source);
            match source.parse::<Text>() {
                Ok(text) => {
                    if looks_secret(name, &text) {
                        self.warn_of_secret(&variable, server);
                    }
                    env.insert(name.to_owned(), text);
                }
                Err(error) => {
                    let finding = Finding::error(error.to_string()).help(error.help());
                    let at = self.within(&variable, error.at);
                    self.found(&at, finding);
                }
            }
        }
        env
    }

    /// The line itself is not shown: the warning may end up where the secret must not.
    fn warn_of_secret(&mut self, variable: &Field<'a>, server: &str) {
        let (name, line) = (variable.name, self.line(variable.key.start));
        let message = format!("`{name}` of server `{server}`, on line {line}, looks like a secret");
        let help = format!("keep it in a file, and write `{name} = \"${{file:/run/secrets/{server}}}\"`");
        self.found_unshown(&variable.key, Finding::warning(message).help(help));
    }

    fn cwd(&mut self, field: &Field<'a>) -> Option<Cwd> {
        let path = self.text(field, A_TEXT)?;
        self.without_nul(field, path);
        match path {
            "node" => Some(Cwd::Node),
            "client" => Some(Cwd::Client),
            path if path.starts_with('/') => Some(Cwd::Path(path.to_owned())),
            other => {
                let help = self.near(other, ["node", "client"].into_iter());
                let help = help.unwrap_or_else(|| "it is node, client, or an absolute path".to_owned());
                self.found(
                    &field.at,
                    Finding::error(format!("unknown folder `{other}` for `cwd`")).help(help),
                );
                None
            }
        }
    }

    fn requests(&mut self, field: &Field<'a>) -> Option<BTreeSet<ServerRequest>> {
        let elements = self.list_of(field, "a list of texts")?;
        let request = |element| self.word(element, &ServerRequest::ALL, ServerRequest::as_str);
        Some(elements.iter().filter_map(request).collect())
    }

    fn filled_texts(&mut self, field: &Field<'a>) -> Option<Vec<String>> {
        let texts = self.texts(field)?;
        for (text, element) in &texts {
            if text.is_empty() {
                self.found(&element.at, Finding::error(format!("`{}` has an empty text", field.name)));
            }
        }
        Some(texts.into_iter().map(|(text, _)| text.to_owned()).collect())
    }
}

/// Whether a variable has the name of a secret, and a value that could be one.
fn looks_secret(name: &str, text: &Text) -> bool {
    const CHARS_MIN: usize = 8;
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "KEY", "PASSWORD"].iter().any(|word| name.contains(word))
        && text.as_literal().is_some_and(|value| value.chars().nth(CHARS_MIN - 1).is_some())
}
