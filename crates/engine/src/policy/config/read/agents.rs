//! Clients and agents: who may reach us, and what each agent may do.
//!
//! What is left out grants nothing: an agent without levels and without a list holds none, a client without
//! servers reaches none. What a client cannot be without, its credential and its agent, is asked for.
//!
//! Start at [`Reader::clients`] and [`Reader::agent`].

use super::{
    super::{Agent, Client, Credential, Disclose},
    field::{Field, Reader},
    keys,
    known::Known,
    references::Mood,
};
use crate::{
    diagnostic::Finding,
    names::{AgentName, ClientName},
};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Reader<'a> {
    pub(super) fn clients(
        &mut self,
        fields: &[Field<'a>],
        known: &Known<'a>,
    ) -> BTreeMap<ClientName, Client> {
        let mut clients = BTreeMap::new();
        for field in fields {
            let name = self.name(field);
            let Some(table) = self.fields(field, &format!("clients.{}", field.name), &keys::CLIENT) else {
                continue;
            };
            let credential = match table.get("credential") {
                Some(credential) => self.credential(&credential, "client", field.name),
                None => {
                    let finding = Finding::error(format!("client `{}` has no `credential`", field.name));
                    self.found(&field.at, finding.help("`placet init` makes one"));
                    None
                }
            };
            let agent = match table.get("agent") {
                Some(agent) => self.known_agent(&agent, known),
                None => {
                    let finding = Finding::error(format!("client `{}` has no `agent`", field.name));
                    self.found(
                        &field.at,
                        finding.help("say whose remit it has, as in `agent = \"support\"`"),
                    );
                    None
                }
            };
            let servers = match table.get("servers") {
                Some(servers) => self.known_servers(&servers, known),
                None => {
                    let finding = Finding::warning(format!("client `{}` reaches no server", field.name));
                    self.found(&field.at, finding.help("list them, as in `servers = [\"crm\"]`"));
                    BTreeSet::new()
                }
            };
            let sessions = table.get("sessions").and_then(|sessions| self.truth(&sessions));
            if let (Some(name), Some(credential), Some(agent)) = (name, credential, agent) {
                clients
                    .insert(name, Client { credential, agent, servers, sessions: sessions.unwrap_or(false) });
            }
        }
        clients
    }

    /// The line is not shown, for what was pasted there instead may be the secret.
    ///
    /// One secret has one owner, be it a client or a person: an agent's must never pass for a person's.
    pub(super) fn credential(
        &mut self,
        field: &Field<'a>,
        kind: &'static str,
        name: &'a str,
    ) -> Option<Credential> {
        let made_by = match kind {
            "person" => "`placet people add` makes one",
            _ => "`placet init` makes one",
        };
        let line = self.line(field.at.start);
        let Some(credential) = field.node.as_text().and_then(|text| text.parse::<Credential>().ok()) else {
            let message = format!("the `credential` of {kind} `{name}`, on line {line}, is not a digest");
            let help = format!("it is `sha256:` and 64 hexadecimal digits; {made_by}");
            self.found_unshown(&field.at, Finding::error(message).help(help));
            return None;
        };
        if let Some((other_kind, other)) = self.owners.insert(credential, (kind, name)) {
            let message = if other_kind == "client" && kind == "client" {
                format!("clients `{other}` and `{name}` have the same `credential`")
            } else {
                format!("{other_kind} `{other}` and {kind} `{name}` have the same `credential`")
            };
            let help = format!("each {kind} has a secret of its own; {made_by}");
            self.found(&field.at, Finding::error(message).help(help));
        }
        Some(credential)
    }

    pub(super) fn agent(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<(AgentName, Agent)> {
        let name = self.name(field);
        let table = self.fields(field, &format!("agents.{}", field.name), &keys::AGENT)?;
        let mut patterns = |key, mood| match table.get(key) {
            Some(list) => self.patterns(&list, mood, known),
            None => Vec::new(),
        };
        let (allow, deny) = (patterns("allow", Mood::Grants), patterns("deny", Mood::Refuses));
        let agent = Agent {
            team: table.get("team").and_then(|team| self.named(&team)),
            levels: table.get("levels").map(|levels| self.levels(&levels)).unwrap_or_default(),
            allow,
            deny,
            disclose: table
                .get("disclose")
                .and_then(|disclose| self.word(&disclose, &Disclose::ALL, Disclose::as_str))
                .unwrap_or_default(),
            observe: table.get("observe").and_then(|observe| self.truth(&observe)).unwrap_or(false),
            line: self.line(field.at.start),
        };
        Some((name?, agent))
    }
}
