//! Writing of invariants: each is a table, with what never happens on one line.

use super::{
    Page, condition, level_words, quoted,
    terms::{Pair, inline_table as table},
};
use crate::policy::config::{About, Claim, Invariant, Scope};

impl Page {
    pub(super) fn invariants(&mut self, invariants: &[Invariant]) {
        let about = ["Invariants: what is true of every call that is allowed. `placet prove` proves them."];
        self.section(invariants, &about);
        for Invariant { name, about, claim, line: _ } in invariants {
            self.gap();
            self.line("[[invariants]]");
            self.line(format!("name = {}", quoted(name)));
            match claim {
                Claim::Needs(need) => {
                    beside(about).into_iter().for_each(|(key, value)| self.line(format!("{key} = {value}")));
                    self.line(format!("need = {}", quoted(&need.to_string())));
                }
                Claim::Never => self.line(format!("never = {}", table(&inside(about)))),
            }
        }
    }
}

/// What stands beside `need`.
fn beside(about: &About) -> Vec<Pair> {
    let About { who, tools, levels, when } = about;
    let who = who.as_ref().map(|who| ("for", table(&[whose(who)])));
    let list = |words: Vec<String>| format!("[{}]", words.join(", "));
    let patterns: Vec<String> = tools.iter().map(|tool| quoted(&tool.value.to_string())).collect();
    let tools = (!patterns.is_empty()).then(|| ("tools", list(patterns)));
    let levels = levels.map(|levels| ("levels", list(level_words(levels))));
    let when = when.as_ref().map(|when| ("when", condition(&when.to_string())));
    [levels, tools, who, when].into_iter().flatten().collect()
}

/// What stands inside of `never`.
fn inside(about: &About) -> Vec<Pair> {
    let pairs = beside(about).into_iter().filter_map(|(key, value)| match key {
        "for" => about.who.as_ref().map(whose),
        "tools" => Some(("tool", value)),
        _ => Some((key, value)),
    });
    pairs.collect()
}

fn whose(who: &Scope) -> Pair {
    match who {
        Scope::Agent(agent) => ("agent", quoted(agent.as_str())),
        Scope::Team(team) => ("team", quoted(team.as_str())),
    }
}
