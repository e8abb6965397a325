//! Writing of people and of the groups that guards ask.
//!
//! A group of which every setting is the usual one is written all the same: that it has a table is what lets
//! people be given a right for it before a rule asks it.

use super::{
    super::{Approvers, Config, OwnCalls, Person},
    Page, duration, quoted,
};
use crate::policy::config::Strength;

impl Page {
    pub(super) fn people(&mut self, config: &Config) {
        self.section(&config.approvers, &["Approvers: settings of the groups that guards ask."]);
        for (name, Approvers { expires, strength, own }) in &config.approvers {
            self.gap();
            self.line(format!("[approvers.{name}]"));
            self.line(format!("expires = {}", quoted(&duration(*expires))));
            match strength {
                Strength::Passkey => {}
                Strength::Terminal | Strength::Session => {
                    self.line(format!("strength = \"{}\"", strength.as_str()));
                }
            }
            match own {
                OwnCalls::Deny => {}
                OwnCalls::Allow => self.line(format!("self = \"{}\"", own.as_str())),
            }
        }
        self.section(&config.people, &["People: who answers and gives orders, and what each may do."]);
        for (name, Person { email, credential, may, line: _ }) in &config.people {
            self.gap();
            self.line(format!("[people.{name}]"));
            if let Some(email) = email {
                self.line(format!("email = {}", quoted(email.as_str())));
            }
            if let Some(credential) = credential {
                self.line(format!("credential = {}", quoted(&credential.to_string())));
            }
            self.list("may", may.iter().map(|right| quoted(&right.to_string())));
        }
    }
}
