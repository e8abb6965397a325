//! Guards: what must also hold before a tool runs.
//!
//! A part of a guard that cannot be read never makes the guard a different one: there is no guard then, and
//! an error. `for` and `when` are the sharpest cases, since without them a guard is for everybody, and always.
//!
//! Start at [`Reader::guards`].

use super::{
    super::{
        super::when::{When, WhenError},
        Control, ControlError, Guard, GuardEffect, GuardScope, Scope,
    },
    field::{A_TEXT, Field, Node, Reader},
    keys,
    known::Known,
    references::Mood,
};
use crate::{
    diagnostic::{Finding, inert},
    level::{Level, LevelSet},
};
use std::collections::BTreeSet;
use toml_edit::Value;

/// The longest `id` of a guard, in characters: it stands in every record of a call that the guard decided.
const ID_CHARS_MAX: usize = 128;

impl<'a> Reader<'a> {
    pub(super) fn guards(&mut self, fields: &[Field<'a>], known: &Known<'a>) -> Vec<Guard> {
        let mut ids = BTreeSet::new();
        let mut guards = Vec::new();
        for field in fields {
            let scope = self.guard_scope(field, known);
            let bodies = match field.node {
                Node::Value(Value::String(_)) => {
                    let effect = self.asking(field).map(|control| GuardEffect::Require(vec![control]));
                    let line = self.line(field.key.start);
                    guards.extend(scope.zip(effect).map(|(scope, effect)| Guard {
                        scope,
                        applies_to: None,
                        levels: None,
                        when: None,
                        id: None,
                        effect,
                        line,
                    }));
                    continue;
                }
                Node::Table(_) | Node::Value(Value::InlineTable(_)) => {
                    vec![field.clone()]
                }
                Node::Tables(_) | Node::Value(Value::Array(_)) => {
                    self.list_of(field, "a list of tables").unwrap_or_default()
                }
                Node::Value(Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_))
                | Node::Nothing => {
                    self.mistyped(field, "a control, a table, or a list of tables", None);
                    continue;
                }
            };
            if bodies.is_empty() {
                self.found(
                    &field.at,
                    Finding::error(format!("`{}` has an empty list of guards", field.name)),
                );
            }
            for body in bodies {
                guards.extend(self.guard(&body, scope.clone(), &mut ids, known));
            }
        }
        guards
    }

    fn guard_scope(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<GuardScope> {
        if let Ok(level) = field.name.parse() {
            return Some(GuardScope::Level(level));
        }
        if field.name.contains('/') {
            return self.pattern(field.name, &field.key, Mood::Refuses, known).map(GuardScope::Tools);
        }
        let words = Level::ALL.into_iter().map(Level::as_str);
        let help = self.near(field.name, words).unwrap_or_else(|| {
            "levels are read, write, execute, delete; a pattern is `server/tool`, as in `\"crm/*\"`"
                .to_owned()
        });
        let message = format!("the guard's key `{}` is neither a level nor a pattern", field.name);
        self.found(&field.key, Finding::error(message).help(help));
        None
    }

    fn guard(
        &mut self,
        field: &Field<'a>,
        scope: Option<GuardScope>,
        ids: &mut BTreeSet<&'a str>,
        known: &Known<'a>,
    ) -> Option<Guard> {
        let table = self.fields(field, &format!("guards.{}", field.name), &keys::GUARD)?;
        let applies_to = table.get("for").map(|applies_to| self.applies_to(&applies_to, known));
        let levels = table.get("level").and_then(|level| self.guard_levels(&level, scope.as_ref()));
        let when = table.get("when").map(|when| self.when(&when));
        let id = table.get("id").and_then(|id| self.id(&id, ids));
        let effect = match (table.get("require"), table.get("forbid")) {
            (Some(require), None) => self.require(&require),
            (None, Some(forbid)) => self.forbid(&forbid),
            (Some(_), Some(forbid)) => {
                let finding = Finding::error("a guard has either `require` or `forbid`, not both");
                self.found(&forbid.key, finding.help("`forbid` alone is the stricter of the two"));
                None
            }
            (None, None) => {
                let finding = Finding::error("the guard has neither `require` nor `forbid`");
                let help = "say what it does, as in `require = \"approval:oncall\"`";
                self.found(&field.at, finding.help(help));
                None
            }
        };
        // A `for` that cannot be read must not become a guard for everybody, or for nobody.
        let applies_to = match applies_to {
            None => None,
            Some(read) => Some(read?),
        };
        // A `when` that cannot be read must not become a guard that always holds, or never.
        let when = match when {
            None => None,
            Some(read) => Some(read?),
        };
        let line = self.line(field.at.start);
        Some(Guard { scope: scope?, applies_to, levels, when, id, effect: effect?, line })
    }

    /// The condition of a guard, as far as it can be read without knowing its tools.
    pub(super) fn when(&mut self, field: &Field<'a>) -> Option<When> {
        let text = self.text(field, A_TEXT)?;
        When::parse(text)
            .map_err(|WhenError { span, message, help }| {
                let at = self.within(field, span);
                self.found(&at, Finding { help, ..Finding::error(message) });
            })
            .ok()
    }

    pub(super) fn applies_to(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<Scope> {
        let table = self.fields(field, "for", &keys::FOR)?;
        match (table.get("agent"), table.get("team")) {
            (Some(agent), None) => self.known_agent(&agent, known).map(Scope::Agent),
            (None, Some(team)) => self.known_team(&team, known).map(Scope::Team),
            (Some(_), Some(_)) | (None, None) => {
                let finding = Finding::error("`for` names one agent or one team");
                let help = "as in `for = { team = \"helpdesk\" }`; without `for` the guard is for all";
                self.found(&field.at, finding.help(help));
                None
            }
        }
    }

    fn guard_levels(&mut self, field: &Field<'a>, scope: Option<&GuardScope>) -> Option<LevelSet> {
        if let Some(GuardScope::Level(level)) = scope {
            let finding = Finding::error(format!("this guard is about {level} already"));
            let help = "`level` narrows a guard whose key is a pattern, as in `\"crm/*\"`";
            self.found(&field.key, finding.help(help));
            return None;
        }
        let levels: LevelSet = match field.node {
            Node::Value(Value::String(_)) => self.level(field, "a level").into_iter().collect(),
            Node::Value(Value::Array(array)) if array.is_empty() => {
                let help = self.level_help("");
                self.found(&field.at, Finding::error("`level` names no level").help(help));
                return None;
            }
            Node::Value(Value::Array(_)) => self.levels(field),
            Node::Value(_) | Node::Table(_) | Node::Tables(_) | Node::Nothing => {
                self.mistyped(field, "a level or a list of levels", None);
                return None;
            }
        };
        (!levels.is_empty()).then_some(levels)
    }

    fn id(&mut self, field: &Field<'a>, ids: &mut BTreeSet<&'a str>) -> Option<String> {
        let id = self.text(field, A_TEXT)?;
        if id.is_empty() || id.chars().count() > ID_CHARS_MAX || inert(id) != id {
            let finding = Finding::error("the guard's `id` cannot be used");
            let help = format!("it is 1 to {ID_CHARS_MAX} characters on one line, all of them visible");
            self.found(&field.at, finding.help(help));
            return None;
        }
        if !ids.insert(id) {
            let finding = Finding::error(format!("two guards have the id `{id}`"));
            self.found(&field.at, finding.help("an id is one guard's alone"));
        }
        Some(id.to_owned())
    }

    fn require(&mut self, field: &Field<'a>) -> Option<GuardEffect> {
        let elements = match field.node {
            Node::Value(Value::String(_)) => vec![field.clone()],
            Node::Value(_) | Node::Table(_) | Node::Tables(_) | Node::Nothing => {
                self.list_of(field, "a control or a list of controls")?
            }
        };
        if elements.is_empty() {
            let finding = Finding::error("`require` names no control");
            self.found(&field.at, finding.help("as in `require = \"approval:oncall\"`"));
            return None;
        }
        let controls: Vec<Control> = elements.iter().filter_map(|element| self.asking(element)).collect();
        (controls.len() == elements.len()).then_some(GuardEffect::Require(controls))
    }

    pub(super) fn control(&mut self, field: &Field<'a>) -> Option<Control> {
        let text = self.text(field, "a control or a list of controls")?;
        text.parse()
            .map_err(|error: ControlError| {
                self.found(&field.at, Finding::error(error.to_string()).help(error.help()));
            })
            .ok()
    }

    fn forbid(&mut self, field: &Field<'a>) -> Option<GuardEffect> {
        let words = self.text(field, A_TEXT)?;
        if words.trim().is_empty() {
            let finding = Finding::error("`forbid` has no words");
            self.found(
                &field.at,
                finding.help("say to the model why, as in `forbid = \"customer data does not leave\"`"),
            );
            return None;
        }
        Some(GuardEffect::Forbid(words.to_owned()))
    }
}
