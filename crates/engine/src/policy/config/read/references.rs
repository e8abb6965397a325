//! References: where one part of the file names what another part describes.
//!
//! A name that nothing describes is an error, whichever way it is used: a refusal with a typing mistake in it
//! refuses nothing. Only a glob that refuses may be ahead of what it is to refuse.
//!
//! Start at [`Reader::pattern`].

use super::{
    super::{At, Pattern},
    field::{A_TEXT, Field, Reader},
    known::Known,
};
use crate::{
    diagnostic::Finding,
    names::{AgentName, ClientName, ServerName, TeamName},
};
use std::{collections::BTreeSet, ops::Range};

/// What a pattern does to the tools that it matches. One that grants must match something; one that refuses
/// may wait for a tool that is still to come.
#[derive(Clone, Copy)]
pub(super) enum Mood {
    Grants,
    Refuses,
}

impl<'a> Reader<'a> {
    pub(super) fn patterns(&mut self, field: &Field<'a>, mood: Mood, known: &Known<'a>) -> Vec<At<Pattern>> {
        let mut patterns = Vec::new();
        for (text, element) in self.texts(field).unwrap_or_default() {
            if let Some(pattern) = self.pattern(text, &element.at, mood, known) {
                patterns.push(At { value: pattern, line: self.line(element.at.start) });
            }
        }
        patterns
    }

    pub(super) fn pattern(
        &mut self,
        text: &str,
        at: &Range<usize>,
        mood: Mood,
        known: &Known<'a>,
    ) -> Option<Pattern> {
        let pattern: Pattern = match text.parse() {
            Ok(pattern) => pattern,
            Err(error) => {
                let meant =
                    known.tools().find(|name| name.split_once('/').is_some_and(|(_, tool)| tool == text));
                let help = meant.map_or_else(|| error.to_string(), |name| format!("did you mean `{name}`?"));
                self.found(at, Finding::error(format!("`{text}` is not a pattern")).help(help));
                return None;
            }
        };
        if pattern.is_literal() {
            self.check_tool(&pattern, at, known);
        } else if !known.may_match(&pattern) {
            let message = format!("pattern `{pattern}` matches no tool of this file");
            let (finding, help) = match mood {
                Mood::Grants => {
                    (Finding::error(message), "list the tool in its server's table, with its level")
                }
                Mood::Refuses => {
                    (Finding::warning(message), "it does nothing until a tool is listed that it matches")
                }
            };
            let server = pattern.literal_server().filter(|server| !known.has_server(server));
            let near = server.and_then(|server| self.nearest(server, known.servers()));
            let near = near.map(|near| format!("did you mean `{near}/{}`?", pattern.tool()));
            self.found(at, finding.help(near.unwrap_or_else(|| help.to_owned())));
        }
        Some(pattern)
    }

    /// Says so if the file does not list the one tool that a pattern names.
    fn check_tool(&mut self, pattern: &Pattern, at: &Range<usize>, known: &Known<'a>) {
        if known.may_match(pattern) {
            return;
        }
        let server = pattern.literal_server().unwrap_or_default();
        let near = self.near(&pattern.to_string(), known.tools());
        if near.is_none() && !known.has_server(server) {
            self.unknown_server(server, at, known);
            return;
        }
        let list = || format!("list it in `[servers.{server}.tools]` with its level");
        let finding = Finding::error(format!("tool `{pattern}` is not in the catalogue"));
        self.found(at, finding.help(near.unwrap_or_else(list)));
    }

    pub(super) fn known_agent(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<AgentName> {
        let text = self.text(field, A_TEXT)?;
        if !known.has_agent(text) {
            let help = self.near(text, known.agents());
            let help = help.unwrap_or_else(|| "describe it in a table, `[agents.NAME]`".to_owned());
            self.found(&field.at, Finding::error(format!("unknown agent `{text}`")).help(help));
            return None;
        }
        text.parse().ok() // a name that cannot be used is said where the agent is described
    }

    pub(super) fn known_team(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<TeamName> {
        let text = self.text(field, A_TEXT)?;
        if !known.has_team(text) {
            let help = self.near(text, known.teams());
            let help = help.unwrap_or_else(|| "a team exists if some agent names it".to_owned());
            self.found(&field.at, Finding::error(format!("unknown team `{text}`")).help(help));
            return None;
        }
        text.parse().ok() // as with an agent
    }

    pub(super) fn known_client(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<ClientName> {
        let text = self.text(field, A_TEXT)?;
        if !known.has_client(text) {
            let help = self.near(text, known.clients());
            let help = help.unwrap_or_else(|| "describe it in a table, `[clients.NAME]`".to_owned());
            self.found(&field.at, Finding::error(format!("unknown client `{text}`")).help(help));
            return None;
        }
        text.parse().ok() // as with an agent
    }

    pub(super) fn known_server(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<ServerName> {
        let text = self.text(field, A_TEXT)?;
        if !known.has_server(text) {
            self.unknown_server(text, &field.at, known);
            return None;
        }
        text.parse().ok() // as with an agent
    }

    pub(super) fn known_servers(&mut self, field: &Field<'a>, known: &Known<'a>) -> BTreeSet<ServerName> {
        let mut servers = BTreeSet::new();
        for (text, element) in self.texts(field).unwrap_or_default() {
            if known.has_server(text) {
                servers.extend(text.parse::<ServerName>());
            } else {
                self.unknown_server(text, &element.at, known);
            }
        }
        servers
    }

    fn unknown_server(&mut self, name: &str, at: &Range<usize>, known: &Known<'a>) {
        let help = self.near(name, known.servers());
        let help = help.unwrap_or_else(|| "describe it in a table, `[servers.NAME]`".to_owned());
        self.found(at, Finding::error(format!("unknown server `{name}`")).help(help));
    }
}
