//! The names that a file knows: what a client, a guard or a pattern may refer to.
//!
//! They are taken as they are written, before anything is checked, so that a mistake inside a table is one
//! finding and not one for each line that refers to the table. Where names cannot be read at all, everything
//! counts as known here; the file is refused for the other mistake.
//!
//! Start at [`Known::of`].

use super::field::{Node, has_usable_length};
use crate::{names::ServerName, policy::config::Pattern};
use std::collections::{BTreeMap, BTreeSet};
use toml_edit::{TableLike, Value};

/// The names of a file.
pub(super) struct Known<'a> {
    /// The servers; those of which the tools cannot be read have none here.
    servers: BTreeMap<&'a str, Option<BTreeSet<&'a str>>>,
    agents: BTreeSet<&'a str>,
    teams: BTreeSet<&'a str>,
    clients: BTreeSet<&'a str>,
    /// The groups that have settings or are asked.
    groups: BTreeSet<&'a str>,
    /// The full names of all tools.
    tools: Vec<String>,
    servers_unread: bool,
    agents_unread: bool,
    teams_unread: bool,
    clients_unread: bool,
}

impl<'a> Known<'a> {
    /// The names in the tables of the top.
    pub(super) fn of(root: &'a dyn TableLike) -> Self {
        let section = |name| root.get(name).map(|item| Node::of(item).as_table());
        let (servers, agents, clients) = (section("servers"), section("agents"), section("clients"));
        let mut known = Self {
            servers: BTreeMap::new(),
            agents: BTreeSet::new(),
            teams: BTreeSet::new(),
            clients: BTreeSet::new(),
            groups: BTreeSet::new(),
            tools: Vec::new(),
            servers_unread: matches!(servers, Some(None)),
            agents_unread: matches!(agents, Some(None)),
            teams_unread: matches!(agents, Some(None)),
            clients_unread: matches!(clients, Some(None)),
        };
        let approvers = section("approvers").flatten();
        known.groups.extend(approvers.into_iter().flat_map(TableLike::iter).map(|(name, _)| name));
        for (_, guard) in section("guards").flatten().into_iter().flat_map(TableLike::iter) {
            known.groups.extend(asked(Node::of(guard)));
        }
        known.groups.extend(root.get("budgets").into_iter().flat_map(|budgets| asked(Node::of(budgets))));
        known.clients.extend(clients.flatten().into_iter().flat_map(TableLike::iter).map(|(name, _)| name));
        for (name, item) in servers.flatten().into_iter().flat_map(TableLike::iter) {
            if !has_usable_length(name) {
                continue;
            }
            let tools = match Node::of(item).as_table().map(|server| server.get("tools")) {
                Some(None) => Some(BTreeSet::new()),
                Some(Some(tools)) => Node::of(tools).as_table().map(|tools| {
                    tools.iter().map(|(tool, _)| tool).filter(|tool| has_usable_length(tool)).collect()
                }),
                None => None,
            };
            known.tools.extend(tools.iter().flatten().map(|tool| format!("{name}/{tool}")));
            known.servers.insert(name, tools);
        }
        for (name, item) in agents.flatten().into_iter().flat_map(TableLike::iter) {
            known.agents.insert(name);
            match Node::of(item).as_table().map(|agent| agent.get("team").map(Node::of)) {
                Some(None) => {}
                Some(Some(team)) => match team.as_text() {
                    Some(team) => known.teams.extend([team]),
                    None => known.teams_unread = true,
                },
                None => known.teams_unread = true,
            }
        }
        known
    }

    pub(super) fn has_server(&self, name: &str) -> bool {
        self.servers_unread || self.servers.contains_key(name)
    }

    pub(super) fn has_agent(&self, name: &str) -> bool {
        self.agents_unread || self.agents.contains(name)
    }

    pub(super) fn has_team(&self, name: &str) -> bool {
        self.teams_unread || self.teams.contains(name)
    }

    pub(super) fn has_client(&self, name: &str) -> bool {
        self.clients_unread || self.clients.contains(name)
    }

    /// Groups cannot be unread: what asks and cannot be read is an error of its own.
    pub(super) fn has_group(&self, name: &str) -> bool {
        self.groups.contains(name)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &'a str> {
        self.groups.iter().copied()
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &'a str> {
        self.servers.keys().copied()
    }

    pub(super) fn agents(&self) -> impl Iterator<Item = &'a str> {
        self.agents.iter().copied()
    }

    pub(super) fn teams(&self) -> impl Iterator<Item = &'a str> {
        self.teams.iter().copied()
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = &'a str> {
        self.clients.iter().copied()
    }

    /// The full names of all tools.
    pub(super) fn tools(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(String::as_str)
    }

    /// Whether a pattern matches a tool of the file, or may match one that cannot be seen in it: one in our
    /// own process, if it names that server, or one of a server whose tools cannot be read.
    pub(super) fn may_match(&self, pattern: &Pattern) -> bool {
        let own = ServerName::app();
        self.servers_unread
            || pattern.literal_server() == Some(own.as_str())
            || self.servers.iter().any(|(server, tools)| match tools {
                Some(tools) if pattern.is_literal() => {
                    pattern.literal_server() == Some(server) && tools.contains(pattern.tool())
                }
                Some(tools) => tools.iter().any(|tool| pattern.covers(server, tool)),
                None => pattern.literal_server().is_none_or(|named| named == *server),
            })
    }
}

/// The groups of the approvals that stand in a guard, or in the budgets: in it, or in the keys that ask.
fn asked(node: Node<'_>) -> Vec<&str> {
    match node {
        Node::Value(Value::String(text)) => group_of(text.value()).into_iter().collect(),
        Node::Value(Value::Array(array)) => {
            array.iter().flat_map(|element| asked(Node::Value(element))).collect()
        }
        Node::Tables(tables) => tables.iter().flat_map(|table| asked(Node::Table(table))).collect(),
        Node::Table(_) | Node::Value(Value::InlineTable(_)) => {
            let asking = ["require", "over"].map(|key| node.as_table().and_then(|table| table.get(key)));
            asking.into_iter().flatten().flat_map(|item| asked(Node::of(item))).collect()
        }
        Node::Value(Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_))
        | Node::Nothing => Vec::new(),
    }
}

fn group_of(control: &str) -> Option<&str> {
    control.strip_prefix("approval:")?.split(':').next()
}
