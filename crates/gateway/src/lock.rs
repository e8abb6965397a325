//! `placet.lock`: what the operator has accepted of each server, beside the configuration file.
//!
//! Per tool: the definition as it is served to clients, and two digests, of its shape and of the whole. A
//! file whose definitions do not have the digests that stand beside them was edited by hand or cut; it is not
//! used.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use placet_engine::{
    json::{Json, Limits, parse},
    names::{Action, ServerName},
    tool::{Definition, Shape},
};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::mcp::catalog::Accepted;

/// What the file says at its head.
const HEAD: &str = "# What each server's tools were when they were accepted. Written by `placet init`; keep it with placet.toml.\n";

/// What is accepted of each server.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// By server, each list in order of names.
    pub servers: BTreeMap<ServerName, Vec<Accepted>>,
}

/// Why a lock file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockError(String);

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LockError {}

/// A definition may be larger than a call.
pub(crate) const DEFINITION: Limits =
    Limits { bytes: 1 << 20, depth: 64, members: 10_000, key_bytes: 1 << 10 };

impl Lock {
    /// Reads the lock beside a configuration file; none if there is none.
    ///
    /// # Errors
    ///
    /// [`LockError`] if it is there and cannot be used.
    pub fn beside(config: &Path) -> Result<Option<Self>, LockError> {
        let path = config.with_extension("lock");
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::read(&text)
                .map(Some)
                .map_err(|error| LockError(format!("`{}`: {error}", path.display()))),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(LockError(format!("cannot read `{}`: {cause}", path.display()))),
        }
    }

    /// What is accepted of a tool.
    pub fn definition(&self, action: &Action) -> Option<&Arc<Definition>> {
        let tools = self.servers.get(&action.server)?;
        tools.iter().map(|known| &known.definition).find(|known| known.name == action.tool)
    }

    /// Reads a lock file's text.
    ///
    /// # Errors
    ///
    /// [`LockError`] with the first thing that is wrong.
    pub fn read(text: &str) -> Result<Self, LockError> {
        let document: DocumentMut = text
            .parse()
            .map_err(|error: toml_edit::TomlError| LockError(format!("not TOML: {}", error.message())))?;
        if document.get("version").and_then(Item::as_integer) != Some(1) {
            return Err(LockError("`version` must be 1".to_owned()));
        }
        let mut lock = Self::default();
        let servers = document.get("servers").and_then(Item::as_table_like);
        for (name, entry) in servers.into_iter().flat_map(|servers| servers.iter()) {
            let server: ServerName = name.parse().map_err(|error| LockError(format!("{error}")))?;
            let tools = entry.get("tools").and_then(Item::as_array_of_tables);
            let accepted = tools.into_iter().flat_map(ArrayOfTables::iter).map(|tool| accepted(name, tool));
            lock.servers.insert(server, accepted.collect::<Result<_, _>>()?);
        }
        Ok(lock)
    }

    /// The file's text.
    pub fn write(&self) -> String {
        let mut document = DocumentMut::new();
        document.insert("version", value(1));
        let mut servers = Table::new();
        servers.set_implicit(true);
        for (server, accepted) in &self.servers {
            let mut tools = ArrayOfTables::new();
            for tool in accepted {
                let mut table = Table::new();
                table.insert("name", value(tool.definition.name.as_str()));
                table.insert("shape", value(tool.definition.shape.to_string()));
                table.insert("whole", value(tool.definition.whole.to_string()));
                table.insert("definition", value(&*tool.text));
                tools.push(table);
            }
            let mut entry = Table::new();
            entry.set_implicit(true);
            entry.insert("tools", Item::ArrayOfTables(tools));
            servers.insert(server.as_str(), Item::Table(entry));
        }
        document.insert("servers", Item::Table(servers));
        format!("{HEAD}{document}")
    }
}

fn accepted(server: &str, tool: &Table) -> Result<Accepted, LockError> {
    let text = |key: &str| tool.get(key).and_then(Item::as_str).unwrap_or_default();
    let name = text("name");
    let wrong = |what: String| {
        LockError(format!("tool `{server}/{}`: {what}", placet_engine::diagnostic::inert(name)))
    };
    let json: Json =
        parse(text("definition").as_bytes(), &DEFINITION).map_err(|error| wrong(error.to_string()))?;
    let definition = Definition::read(&json).map_err(|error| wrong(error.to_string()))?;
    let stands = |key: &str, digest: Shape| Shape::parse(text(key)) == Some(digest);
    if definition.name.as_str() != name
        || !stands("shape", definition.shape)
        || !stands("whole", definition.whole)
    {
        return Err(wrong("its definition does not have the digests that stand beside it".to_owned()));
    }
    Ok(Accepted { definition: Arc::new(definition), text: text("definition").into() })
}
