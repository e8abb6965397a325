//! People and groups of approvers: who may do what, and whether enough may say yes.
//!
//! A right that cannot be read is an error and no right. A file that names people says by that who there is: a
//! guard that asks for more of them than may approve could never be answered, so it is an error. Where nobody is
//! named nobody can say yes yet, which is a lint.
//!
//! Start at [`Reader::people`].

use super::{
    super::{Approvers, Control, Email, OwnCalls, Person, Right, RightError, Strength, people::approvers_of},
    field::{A_TEXT, Field, Reader},
    keys,
    known::Known,
};
use crate::{
    diagnostic::Finding,
    names::{GroupName, PersonName},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

/// An approval that a rule of the file asks for.
pub(super) struct Asked {
    group: GroupName,
    votes: u8,
    at: Range<usize>,
}

impl<'a> Reader<'a> {
    /// A control that a rule asks for, remembered until it is known who may approve.
    pub(super) fn asking(&mut self, field: &Field<'a>) -> Option<Control> {
        let control = self.control(field)?;
        let Control::Approval { group, votes, strength: _ } = &control;
        self.asked.push(Asked { group: group.clone(), votes: *votes, at: field.at.clone() });
        Some(control)
    }

    pub(super) fn people(&mut self, fields: &[Field<'a>], known: &Known<'a>) -> BTreeMap<PersonName, Person> {
        let mut emails = Vec::new();
        let mut people = BTreeMap::new();
        for field in fields {
            let name = self.name(field);
            let Some(table) = self.fields(field, &format!("people.{}", field.name), &keys::PERSON) else {
                continue;
            };
            let email = table.get("email").map(|email| self.email(&email, field.name, &mut emails));
            let credential = match table.get("credential") {
                Some(credential) => self.credential(&credential, "person", field.name).map(Some),
                None => Some(None),
            };
            let may = match table.get("may") {
                Some(may) => self.rights(&may, known),
                None => Some(BTreeSet::new()),
            };
            if may.as_ref().is_some_and(BTreeSet::is_empty) {
                let finding = Finding::warning(format!("person `{}` may do nothing", field.name));
                self.found(&field.at, finding.help("say what, as in `may = [\"view\", \"approve:oncall\"]`"));
            }
            // One whose rights cannot be read must not count as one who has none.
            let email = match email {
                None => Some(None),
                Some(read) => read.map(Some),
            };
            if let (Some(name), Some(email), Some(credential), Some(may)) = (name, email, credential, may) {
                people.insert(name, Person { email, credential, may, line: self.line(field.at.start) });
            }
        }
        people
    }

    fn email(
        &mut self,
        field: &Field<'a>,
        person: &'a str,
        emails: &mut Vec<(Email, &'a str)>,
    ) -> Option<Email> {
        let text = self.text(field, A_TEXT)?;
        let email: Email = match text.parse() {
            Ok(email) => email,
            Err(why) => {
                let finding = Finding::error(format!("the `email` of `{person}` cannot be used"));
                self.found(&field.at, finding.help(why.to_string()));
                return None;
            }
        };
        if let Some((_, other)) = emails.iter().find(|(known, _)| *known == email) {
            let finding = Finding::error(format!("people `{other}` and `{person}` have the same `email`"));
            self.found(&field.at, finding.help("one person must not count as two"));
        }
        emails.push((email.clone(), person));
        Some(email)
    }

    fn rights(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<BTreeSet<Right>> {
        let elements = self.list_of(field, "a list of rights")?;
        let mut rights = BTreeSet::new();
        let mut whole = true;
        for element in &elements {
            let Some(right) = self.right(element, known) else {
                whole = false;
                continue;
            };
            let text = right.to_string();
            if !rights.insert(right) {
                let finding = Finding::error(format!("`may` lists `{text}` twice"));
                self.found(&element.at, finding.help("another one was probably meant; else take one out"));
            }
        }
        whole.then_some(rights)
    }

    fn right(&mut self, field: &Field<'a>, known: &Known<'a>) -> Option<Right> {
        let text = self.text(field, A_TEXT)?;
        let right: Right = text
            .parse()
            .map_err(|error: RightError| {
                self.found(&field.at, Finding::error(error.to_string()).help(error.help()));
            })
            .ok()?;
        if let Right::Approve(group) = &right
            && !known.has_group(group.as_str())
        {
            let help = self.near(group.as_str(), known.groups());
            let help = help.unwrap_or_else(|| {
                "a group exists if a guard or a budget asks it, or if it has a table, `[approvers.NAME]`"
                    .to_owned()
            });
            self.found(&field.at, Finding::error(format!("unknown group `{group}`")).help(help));
            return None;
        }
        Some(right)
    }

    /// Says so where more people are asked than may approve, once the file says who there is.
    pub(super) fn too_few(&mut self, people: &BTreeMap<PersonName, Person>) {
        if people.is_empty() {
            return;
        }
        for Asked { group, votes, at } in std::mem::take(&mut self.asked) {
            let may = approvers_of(people, &group);
            if may >= usize::from(votes) {
                continue;
            }
            let message = match may {
                0 => format!("nobody of this file may approve for `{group}`"),
                _ => format!("{votes} people of `{group}` are asked, and {may} may approve for it"),
            };
            let help = format!("give more of `[people]` the right, as in `may = [\"approve:{group}\"]`");
            self.found(&at, Finding::error(message).help(help));
        }
    }

    pub(super) fn approvers(&mut self, field: &Field<'a>) -> Option<Approvers> {
        let table = self.fields(field, &format!("approvers.{}", field.name), &keys::APPROVERS)?;
        let usual = Approvers::default();
        let expires = table
            .get("expires")
            .map(|expires| self.length_of_time(&expires, Duration::from_secs(1)..=Approvers::EXPIRES_MAX));
        let strength =
            table.get("strength").map(|strength| self.word(&strength, &Strength::ALL, Strength::as_str));
        let own = table.get("self").map(|own| self.word(&own, &OwnCalls::ALL, OwnCalls::as_str));
        Some(Approvers {
            expires: expires.unwrap_or(Some(usual.expires))?,
            strength: strength.unwrap_or(Some(usual.strength))?,
            own: own.unwrap_or(Some(usual.own))?,
        })
    }
}

#[cfg(test)]
mod tests;
