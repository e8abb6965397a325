//! Names: what agents, clients, servers, tools and people are called, checked once at the edge.
//!
//! A name that exists as a type here has been checked; nothing inside checks it again. All are ASCII, so
//! that two names which look alike are alike, and none needs escaping in a message, a policy or a path.
//!
//! Not here: identifiers that we draw ourselves ([`crate::call::CallId`], [`crate::session::SessionId`]).
//! Start at [`Action`], the full name of a tool.

use std::{fmt, str::FromStr, sync::Arc};

/// A name that cannot be used, and what a usable one looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    what: &'static str,
    shape: &'static str,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.what, self.shape)
    }
}

impl std::error::Error for NameError {}

macro_rules! name {
    ($(#[$doc:meta])* $Name:ident, $what:literal, $shape:literal, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $Name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let accepts: fn(&str) -> bool = $accepts;
                if accepts(text) { Ok(Self(text.into())) } else { Err(NameError { what: $what, shape: $shape }) }
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($Name), self.0)
            }
        }
    };
}

name! {
    /// A tool server, as the configuration file calls it. It has no underscore, so that `server__tool` splits one way.
    ServerName, "a server's name", "1 to 32 of a-z, 0-9 and `-`, beginning with a letter",
    |text| starts_with_lower(text) && text.len() <= 32 && text.bytes().all(is_kebab)
}
name! {
    /// An agent: the one that proposes calls.
    AgentName, "an agent's name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter", is_plain
}
name! {
    /// A program with a credential, through which an agent reaches us.
    ClientName, "a client's name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter", is_plain
}
name! {
    /// A team that agents belong to.
    TeamName, "a team's name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter", is_plain
}
name! {
    /// A group of people who may approve.
    GroupName, "a group's name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter", is_plain
}
name! {
    /// A person who answers questions and gives orders.
    PersonName, "a person's name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter", is_plain
}
name! {
    /// A tool, as its server calls it.
    ToolName, "a tool's name", "1 to 128 of A-Z, a-z, 0-9, `_`, `-`, `.` and `/`",
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/'))
}

name! {
    /// A budget, or a trip.
    BudgetName, "a budget's name", "1 to 64 visible characters, without blanks at its ends",
    |text| (1..=64).contains(&text.chars().count())
        && text.trim() == text
        && crate::diagnostic::inert(text) == text
}
name! {
    /// A fact about a call's arguments, as `[match.NAME]` calls it.
    MatchName, "a match's name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter", is_plain
}
name! {
    /// A group that tools belong to.
    Label, "a label", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter", is_plain
}
name! {
    /// What is counted: `usd`, `tokens`, `recipients`.
    Unit, "a unit", "1 to 16 of a-z, 0-9 and `_`, beginning with a letter",
    |text| is_plain(text) && text.len() <= 16 && !text.contains('-')
}

impl Unit {
    /// Whether it is a currency: three letters, as in ISO 4217.
    pub fn is_money(&self) -> bool {
        self.0.len() == 3 && self.0.bytes().all(|byte| byte.is_ascii_lowercase())
    }
}

fn starts_with_lower(text: &str) -> bool {
    text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
}

fn is_kebab(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

fn is_plain(text: &str) -> bool {
    starts_with_lower(text) && text.len() <= 64 && text.bytes().all(|byte| is_kebab(byte) || byte == b'_')
}

impl ToolName {
    /// A method of a server other than calling a tool, as a name that no tool can have: it holds a colon.
    pub fn of_method(method: &'static str) -> Self {
        Self(format!("{METHOD}{method}").into())
    }

    /// The method that this name stands for, if it stands for one.
    pub fn method(&self) -> Option<&str> {
        self.0.strip_prefix(METHOD)
    }
}

/// Before the name of a method, where a tool's name could stand.
const METHOD: &str = "mcp:";

impl ServerName {
    /// The server of tools that run inside our own process; on the wire their names stand alone.
    pub fn app() -> Self {
        Self("app".into())
    }
}

/// The full name of a tool, `server/tool`: what an agent proposes and what policy judges.
///
/// ```
/// # use placet_engine::names::Action;
/// let action: Action = "crm/refund".parse()?;
/// assert_eq!(action.server.as_str(), "crm");
/// assert!("CRM/refund".parse::<Action>().is_err());
/// assert!("refund".parse::<Action>().is_err());
/// # Ok::<(), placet_engine::names::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// The server that offers the tool.
    pub server: ServerName,
    /// The tool, as its server calls it.
    pub tool: ToolName,
}

impl Action {
    /// The tool `tool` of `server`.
    pub fn new(server: ServerName, tool: ToolName) -> Self {
        Self { server, tool }
    }
}

impl FromStr for Action {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (server, tool) =
            text.split_once('/').ok_or(NameError { what: "a tool's full name", shape: "`server/tool`" })?;
        Ok(Self { server: server.parse()?, tool: tool.parse()? })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.server, self.tool)
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_to_the_last_character() {
        for (text, good) in [
            ("crm", true),
            ("a-1", true),
            ("", false),
            ("Crm", false),
            ("1crm", false),
            ("crm_1", false),
            ("crm ", false),
            ("c\u{440}m", false),
            ("a234567890123456789012345678901", true),
            ("a23456789012345678901234567890123", false),
        ] {
            assert_eq!(text.parse::<ServerName>().is_ok(), good, "server {text:?}");
        }
        for (text, good) in [
            ("read_user", true),
            ("fs.read", true),
            ("repo/delete", true),
            ("Delete", true),
            ("delete user", false),
            ("delete\n", false),
            ("d\u{435}lete", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<ToolName>().is_ok(), good, "tool {text:?}");
        }
    }

    #[test]
    fn an_action_splits_at_the_first_slash() {
        let action: Action = "git/repo/delete".parse().unwrap();
        assert_eq!((action.server.as_str(), action.tool.as_str()), ("git", "repo/delete"));
    }
}
