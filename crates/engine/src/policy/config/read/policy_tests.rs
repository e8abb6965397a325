//! Policy tests: the calls that a file proposes to its own policy, and what is to come out of each.
//!
//! A test that cannot be read is an error like any other: a misspelt one must not pass. Arguments are taken as
//! they are written, digit by digit; TOML has no null, so no test has one.
//!
//! Start at [`Reader::policy_tests`].

use super::{
    super::{Control, Expected, PolicyTest, Proposed, Word},
    field::{A_TEXT, Field, Fields, Node, Reader},
    keys,
    known::Known,
    references::Mood,
};
use crate::{
    cost::Amount,
    decision::Code,
    diagnostic::{Finding, inert},
    json::{Json, Object},
    names::{Action, Label, Unit},
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use toml_edit::Value;

/// The longest name of a test, in characters.
const NAME_CHARS_MAX: usize = 128;

impl<'a> Reader<'a> {
    pub(super) fn policy_tests(&mut self, tables: &[Field<'a>], known: &Known<'a>) -> Vec<PolicyTest> {
        let mut names = BTreeSet::new();
        tables.iter().filter_map(|table| self.policy_test(table, &mut names, known)).collect()
    }

    fn policy_test(
        &mut self,
        field: &Field<'a>,
        names: &mut BTreeSet<&'a str>,
        known: &Known<'a>,
    ) -> Option<PolicyTest> {
        let table = self.fields(field, "test", &keys::POLICY_TEST)?;
        let name = match self.needed(field, &table, "name", "`name = \"a refund of 600 is refused\"`") {
            Some(name) => self.test_name(&name, names),
            None => None,
        };
        let given = self.proposed(field, &table, known);
        let want = self.expected(field, &table);
        Some(PolicyTest { name: name?, given: given?, want: want?, line: self.line(field.at.start) })
    }

    /// A field that a test cannot be without.
    fn needed(
        &mut self,
        field: &Field<'a>,
        table: &Fields<'a>,
        key: &str,
        example: &str,
    ) -> Option<Field<'a>> {
        let found = table.get(key);
        if found.is_none() {
            let finding = Finding::error(format!("the test has no `{key}`"));
            self.found(&field.at, finding.help(format!("as in {example}")));
        }
        found
    }

    fn test_name(&mut self, field: &Field<'a>, names: &mut BTreeSet<&'a str>) -> Option<String> {
        let name = self.text(field, A_TEXT)?;
        if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX || inert(name) != name {
            let finding = Finding::error("the test's `name` cannot be used");
            let help = format!("it is 1 to {NAME_CHARS_MAX} characters on one line, all of them visible");
            self.found(&field.at, finding.help(help));
            return None;
        }
        if !names.insert(name) {
            let finding = Finding::error(format!("two tests are called `{name}`"));
            self.found(&field.at, finding.help("a name is one test's alone"));
        }
        Some(name.to_owned())
    }

    fn proposed(&mut self, field: &Field<'a>, table: &Fields<'a>, known: &Known<'a>) -> Option<Proposed> {
        let agent = self.needed(field, table, "agent", "`agent = \"support\"`");
        let agent = agent.and_then(|agent| self.known_agent(&agent, known));
        let tool = self.needed(field, table, "tool", "`tool = \"crm/refund\"`");
        let tool = tool.and_then(|tool| self.one_tool(&tool, known));
        let arguments = match table.get("args") {
            Some(args) => self.arguments(&args),
            None => Some(Json::Object(Object::new())),
        };
        let session = match table.get("session") {
            Some(session) => self.seen_session(&session),
            None => Some((1, BTreeSet::new())),
        };
        let at = match table.get("at") {
            Some(at) => self.moment(&at),
            None => Some(Proposed::AT),
        };
        let dry_run = table.get("dry_run").map_or(Some(false), |dry_run| self.truth(&dry_run));
        let cost = match table.get("cost") {
            Some(cost) => self.said_cost(&cost),
            None => Some(BTreeMap::new()),
        };
        let (steps, labels) = session?;
        Some(Proposed {
            agent: agent?,
            tool: tool?,
            arguments: arguments?,
            steps,
            labels,
            at: at?,
            dry_run: dry_run?,
            cost: cost?,
        })
    }

    /// One tool of the file, by its full name.
    fn one_tool(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<Action> {
        let text = self.text(field, A_TEXT)?;
        let pattern = self.pattern(text, &field.at, Mood::Grants, known)?;
        if !pattern.is_literal() {
            let finding = Finding::error(format!("`{text}` is more than one tool"));
            self.found(&field.at, finding.help("a test calls one, as in `tool = \"crm/refund\"`"));
            return None;
        }
        self.name_in(text, &field.at)
    }

    fn arguments(&mut self, field: &Field<'a>) -> Option<Json> {
        match field.node.as_table() {
            Some(_) => self.argument(field),
            None => {
                self.mistyped(field, "a table", Some("as in `args = { amount = 600 }`".to_owned()));
                None
            }
        }
    }

    /// A value of an argument, however deep; the text's brackets have been counted.
    fn argument(&mut self, field: &Field<'a>) -> Option<Json> {
        match field.node {
            Node::Table(_) | Node::Value(Value::InlineTable(_)) => {
                let members = self.entries(field);
                let mut object = Object::with_capacity(members.len());
                let mut whole = true;
                for member in &members {
                    match self.argument(member) {
                        Some(value) => drop(object.insert(member.name, value)),
                        None => whole = false,
                    }
                }
                whole.then_some(Json::Object(object))
            }
            Node::Tables(_) | Node::Value(Value::Array(_)) => {
                let elements = self.list_of(field, "a list")?;
                let values: Vec<Json> =
                    elements.iter().filter_map(|element| self.argument(element)).collect();
                (values.len() == elements.len()).then(|| Json::from(values))
            }
            Node::Value(Value::Datetime(_)) => {
                let help = "JSON has no dates: write it in quotes, as the tool expects it";
                self.mistyped(field, "a value of JSON", Some(help.to_owned()));
                None
            }
            Node::Value(Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_))
            | Node::Nothing => self.value(field),
        }
    }

    fn seen_session(&mut self, field: &Field<'a>) -> Option<(u64, BTreeSet<Label>)> {
        let table = self.fields(field, "session", &keys::TEST_SESSION)?;
        let steps = match table.get("steps") {
            None => Some(1),
            Some(steps) => {
                let number = steps.node.as_integer().and_then(|number| u64::try_from(number).ok());
                let number = number.filter(|number| *number > 0);
                if number.is_none() {
                    self.mistyped_steps(&steps);
                }
                number
            }
        };
        let labels = match table.get("labels") {
            None => Some(BTreeSet::new()),
            Some(labels) => self.list_of(&labels, "a list of labels").and_then(|elements| {
                let read: Vec<Label> = elements.iter().filter_map(|element| self.named(element)).collect();
                (read.len() == elements.len()).then(|| read.into_iter().collect())
            }),
        };
        Some((steps?, labels?))
    }

    fn mistyped_steps(&mut self, field: &Field<'a>) {
        let finding = Finding::error("`steps` must be a whole number from 1 on");
        self.found(
            &field.at,
            finding.help("it counts the calls of the session, the one that is judged included"),
        );
    }

    fn moment(&mut self, field: &Field<'a>) -> Option<Timestamp> {
        let text = match field.node {
            Node::Value(Value::Datetime(_)) => self.literal(field),
            Node::Value(_) | Node::Table(_) | Node::Tables(_) | Node::Nothing => self.text(field, A_TEXT)?,
        };
        let read = Timestamp::parse(text).filter(|read| read.0.is_multiple_of(1_000));
        if read.is_none() {
            let finding = Finding::error(format!("`{text}` is not a moment that can be used"));
            let help = "write date, time and offset, as in `2026-11-24T10:00:00Z`; from 1970 on, at most to the millisecond";
            self.found(&field.at, finding.help(help));
        }
        read
    }

    fn said_cost(&mut self, field: &Field<'a>) -> Option<BTreeMap<Unit, Amount>> {
        let entries = match field.node.as_table() {
            Some(_) => self.entries(field),
            None => {
                self.mistyped(field, "a table", Some("as in `cost = { usd = 12.50 }`".to_owned()));
                return None;
            }
        };
        let mut cost = BTreeMap::new();
        for entry in &entries {
            let unit = self.unit(entry.name, &entry.key);
            let amount = self.exact_number(entry).and_then(|number| {
                Amount::try_from(&number)
                    .map_err(|error| self.found(&entry.at, Finding::error(error.to_string())))
                    .ok()
            });
            cost.extend(unit.zip(amount));
        }
        (cost.len() == entries.len()).then_some(cost)
    }

    fn expected(&mut self, field: &Field<'a>, table: &Fields<'a>) -> Option<Expected> {
        let decision = self.needed(field, table, "decision", "`decision = \"deny\"`");
        let decision = decision.and_then(|decision| self.word(&decision, &Word::ALL, Word::as_str));
        let code = table
            .get("code")
            .map(|code| self.only_with(&code, decision, Word::Deny).and_then(|()| self.code(&code)));
        let controls = table.get("controls").map(|controls| {
            self.only_with(&controls, decision, Word::Ask).and_then(|()| self.wanted_controls(&controls))
        });
        let by = match table.get("by") {
            None => Some(Vec::new()),
            Some(by) => {
                self.texts(&by).map(|texts| texts.iter().map(|(text, _)| (*text).to_owned()).collect())
            }
        };
        // What cannot be read must not become a test that expects less.
        let code = code.map_or(Some(None), |code| code.map(Some));
        let controls = controls.map_or(Some(None), |controls| controls.map(Some));
        Some(Expected { decision: decision?, code: code?, controls: controls?, by: by? })
    }

    /// Says so if a field stands beside another decision than the one that it describes.
    fn only_with(&mut self, field: &Field<'a>, decision: Option<Word>, wanted: Word) -> Option<()> {
        match decision {
            Some(decision) if decision != wanted => {
                let message =
                    format!("`{}` is said of another decision than `{}`", field.name, decision.as_str());
                let help = format!("it stands beside `decision = \"{}\"`", wanted.as_str());
                self.found(&field.key, Finding::error(message).help(help));
                None
            }
            Some(_) | None => Some(()),
        }
    }

    fn code(&mut self, field: &Field<'a>) -> Option<Code> {
        self.word(field, &Code::ALL, Code::as_str)
    }

    fn wanted_controls(&mut self, field: &Field<'a>) -> Option<BTreeSet<Control>> {
        let elements = self.list_of(field, "a list of controls")?;
        let controls: Vec<Control> = elements.iter().filter_map(|element| self.control(element)).collect();
        (controls.len() == elements.len()).then(|| controls.into_iter().collect())
    }
}
