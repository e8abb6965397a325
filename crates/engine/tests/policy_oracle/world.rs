//! Random rules over random tools, as the test knows them, and the same for the engine.
//!
//! Few names, so that rules meet; conditions mostly mean something over every tool that their guard is about,
//! and sometimes not.

use std::collections::{BTreeMap, BTreeSet};

use placet_engine::{
    level::{Level, LevelSet},
    policy::{
        self, Rules,
        config::{self, Agent, At, Guard, GuardEffect, GuardScope, Pattern},
        when::When,
    },
};

use super::{
    call::LABELS,
    condition::{Cond, Question},
    dice::Dice,
    facts::{self, ADDRESSES, FACTS},
    tool::{Declared, Tool},
};

pub(crate) const ACTIONS: [&str; 5] = ["crm/pay", "crm/pay_all", "crm/read", "mail/read", "mail/x/send"];
pub(crate) const AGENTS: [&str; 3] = ["ana", "bo", "cy"];
const TEAMS: [&str; 2] = ["red", "blue"];
const PATTERNS: [&str; 9] =
    ["crm/*", "*/*", "crm/pay", "*/read", "crm/pay?all", "?ail/*", "mail/x/*", "mail/none", "*/*d"];
const CONTROLS: [&str; 4] = ["approval:p", "approval:p:2", "approval:q", "approval:q:passkey"];
const WORDS: [&str; 3] = ["not here", "ask ana", "too much"];

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) remits: BTreeMap<&'static str, Remit>,
    pub(crate) guards: Vec<Rule>,
    /// Each with whether its definition is known when the policy is loaded.
    pub(crate) tools: BTreeMap<&'static str, (Tool, bool)>,
}

#[derive(Debug)]
pub(crate) struct Remit {
    pub(crate) team: Option<&'static str>,
    pub(crate) levels: Vec<Level>,
    pub(crate) allow: Vec<&'static str>,
    pub(crate) deny: Vec<&'static str>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) about: About,
    pub(crate) whom: Whom,
    pub(crate) when: Option<(Cond, BTreeSet<&'static str>)>,
    pub(crate) id: Option<String>,
    pub(crate) effect: Effect,
}

#[derive(Debug)]
pub(crate) enum About {
    Level(Level),
    Tools(&'static str, Option<Vec<Level>>),
}

#[derive(Debug)]
pub(crate) enum Whom {
    All,
    Agent(&'static str),
    Team(&'static str),
}

#[derive(Debug)]
pub(crate) enum Effect {
    Forbid(&'static str),
    Require(Vec<&'static str>),
}

impl World {
    pub(crate) fn random(dice: &mut Dice<'_>) -> Self {
        let agents = 1 + dice.of(AGENTS.len());
        let remits = AGENTS[..agents].iter().map(|name| (*name, Remit::random(dice))).collect();
        let mut tools = BTreeMap::new();
        for action in ACTIONS {
            if !dice.one_in(5) {
                let (level, usd) = (dice.pick(&Level::ALL), dice.one_in(2));
                tools.insert(action, (Tool::random(dice, level, usd), !dice.one_in(4)));
            }
        }
        let mut world = Self { remits, guards: Vec::new(), tools };
        for _ in 0..dice.of(6) {
            let rule = world.rule(dice);
            world.guards.push(rule);
        }
        world
    }

    fn rule(&self, dice: &mut Dice<'_>) -> Rule {
        let about = match dice.of(3) {
            0 => About::Level(dice.pick(&Level::ALL)),
            _ => {
                let levels =
                    dice.one_in(4).then(|| dice.some(&Level::ALL)).filter(|levels| !levels.is_empty());
                About::Tools(dice.pick(&PATTERNS), levels)
            }
        };
        let whom = match dice.of(4) {
            0 | 1 => Whom::All,
            2 => Whom::Agent(dice.pick(&AGENTS)),
            _ => Whom::Team(dice.pick(&TEAMS)),
        };
        let effect = if dice.one_in(3) {
            Effect::Forbid(dice.pick(&WORDS))
        } else {
            let first = dice.of(CONTROLS.len() - 1);
            let count = if dice.one_in(3) { 2 } else { 1 };
            Effect::Require(CONTROLS[first..first + count].to_vec())
        };
        let id = dice.one_in(4).then(|| format!("rule-{}", self.guards.len()));
        let mut rule = Rule { about, whom, when: None, id, effect };
        if dice.of(4) > 0 {
            let cond = cond(dice, 3);
            let asks = self.asks(dice, &rule, &cond);
            rule.when = Some((cond, asks));
        }
        rule
    }

    /// Of which arguments the condition asks whether they are there: mostly of all that some tool of it lacks.
    fn asks(&self, dice: &mut Dice<'_>, rule: &Rule, cond: &Cond) -> BTreeSet<&'static str> {
        let mut about = BTreeSet::new();
        cond.visit(&mut |question| about.extend(question.about()));
        let is_careless = dice.one_in(40);
        let lacks = |name: &str| {
            self.tools.iter().filter(|(action, (tool, _))| rule.covers(action, tool)).any(|(_, (tool, _))| {
                if name == "cost" { !tool.usd } else { tool.declared(name) == Declared::No }
            })
        };
        about.into_iter().filter(|name| (!is_careless && lacks(name)) || dice.one_in(3)).collect()
    }

    pub(crate) fn known_agents(&self) -> Vec<&'static str> {
        self.remits.keys().copied().collect()
    }

    /// All if none is known.
    pub(crate) fn known_actions(&self) -> Vec<&'static str> {
        if self.tools.is_empty() { ACTIONS.to_vec() } else { self.tools.keys().copied().collect() }
    }

    /// The rules for the engine.
    pub(crate) fn rules(&self) -> Rules {
        let agents = self.remits.iter().map(|(name, remit)| (name.parse().unwrap(), remit.to_agent()));
        let matches = config::read(&facts::file());
        let matches = matches.config.unwrap_or_else(|| panic!("{:?}", matches.findings)).matches;
        assert_eq!(matches.len(), FACTS.len());
        Rules {
            agents: agents.collect(),
            guards: self.guards.iter().map(Rule::to_guard).collect(),
            matches,
            ..Rules::default()
        }
    }

    /// The catalogue for the engine.
    pub(crate) fn catalogue(&self) -> policy::Catalogue {
        let tools = self.tools.iter().map(|(action, (tool, is_known))| {
            let mut terms = config::terms::Tool::from(tool.level);
            if tool.usd {
                terms.cost.insert("usd".parse().unwrap(), "1".parse().unwrap());
            }
            let definition = is_known.then(|| tool.definition.clone());
            (action.parse().unwrap(), policy::Tool { definition, ..policy::Tool::from(terms) })
        });
        tools.collect()
    }
}

impl Remit {
    fn random(dice: &mut Dice<'_>) -> Self {
        let list = |dice: &mut Dice<'_>| (0..dice.of(3)).map(|_| dice.pick(&PATTERNS)).collect();
        let levels = if dice.of(2) == 0 { Level::ALL.to_vec() } else { dice.some(&Level::ALL) };
        let deny = if dice.one_in(4) { list(dice) } else { Vec::new() };
        Self { team: dice.one_in(2).then(|| dice.pick(&TEAMS)), levels, allow: list(dice), deny }
    }

    fn to_agent(&self) -> Agent {
        let list = |texts: &[&str]| -> Vec<At<Pattern>> {
            texts.iter().map(|text| At { value: text.parse().unwrap(), line: 0 }).collect()
        };
        Agent {
            team: self.team.map(|name| name.parse().unwrap()),
            levels: LevelSet::of(self.levels.iter().copied()),
            allow: list(&self.allow),
            deny: list(&self.deny),
            ..Agent::default()
        }
    }
}

impl Rule {
    /// Whether it is about this tool, whoever calls it.
    pub(crate) fn covers(&self, action: &str, tool: &Tool) -> bool {
        match &self.about {
            About::Level(level) => *level == tool.level,
            About::Tools(pattern, levels) => {
                stands_for(pattern, action)
                    && levels.as_ref().is_none_or(|levels| levels.contains(&tool.level))
            }
        }
    }

    /// Whether it is about this agent.
    pub(crate) fn concerns(&self, agent: &str, remit: &Remit) -> bool {
        match self.whom {
            Whom::All => true,
            Whom::Agent(name) => name == agent,
            Whom::Team(team) => remit.team == Some(team),
        }
    }

    fn to_guard(&self) -> Guard {
        let (scope, levels) = match &self.about {
            About::Level(level) => (GuardScope::Level(*level), None),
            About::Tools(pattern, levels) => {
                let levels = levels.as_ref().map(|levels| LevelSet::of(levels.iter().copied()));
                (GuardScope::Tools(pattern.parse().unwrap()), levels)
            }
        };
        let when = self.when.as_ref().map(|(cond, asks)| {
            let text = cond.print(asks);
            When::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        });
        Guard {
            scope,
            applies_to: match self.whom {
                Whom::All => None,
                Whom::Agent(name) => Some(config::Scope::Agent(name.parse().unwrap())),
                Whom::Team(name) => Some(config::Scope::Team(name.parse().unwrap())),
            },
            levels,
            when,
            id: self.id.clone(),
            effect: match &self.effect {
                Effect::Forbid(words) => GuardEffect::Forbid((*words).to_owned()),
                Effect::Require(all) => {
                    GuardEffect::Require(all.iter().map(|text| text.parse().unwrap()).collect())
                }
            },
            line: 0,
        }
    }
}

/// Globs, by trying everything.
pub(crate) fn stands_for(pattern: &str, action: &str) -> bool {
    fn side(glob: &[u8], name: &[u8]) -> bool {
        match glob.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|taken| side(rest, &name[taken..])),
            Some((want, rest)) => {
                !name.is_empty() && (*want == b'?' || *want == name[0]) && side(rest, &name[1..])
            }
        }
    }
    let halves = |text: &str| {
        let (server, tool) = text.split_once('/').unwrap();
        (server.as_bytes().to_vec(), tool.as_bytes().to_vec())
    };
    let ((server, tool), (of_server, of_tool)) = (halves(pattern), halves(action));
    side(&server, &of_server) && side(&tool, &of_tool)
}

fn cond(dice: &mut Dice<'_>, depth: usize) -> Cond {
    let parts = |dice: &mut Dice<'_>| (0..2 + dice.of(2)).map(|_| cond(dice, depth - 1)).collect();
    match dice.of(if depth > 0 { 9 } else { 1 }) {
        0..4 => Cond::Ask(question(dice)),
        4 => Cond::Not(Box::new(cond(dice, depth - 1))),
        5 | 6 => Cond::All(parts(dice)),
        7 => Cond::Any(parts(dice)),
        _ => Cond::If(Box::new([cond(dice, depth - 1), cond(dice, depth - 1), cond(dice, depth - 1)])),
    }
}

fn question(dice: &mut Dice<'_>) -> Question {
    const SIGNS: [&str; 6] = [">", "<", "<=", ">=", "==", "!="];
    let mut sign = || dice.pick(&SIGNS);
    let sign = sign();
    let texts = |dice: &mut Dice<'_>, count: usize| {
        (0..count).map(|_| dice.pick(&ADDRESSES[..4]).0).collect::<Vec<_>>()
    };
    match dice.of(24) {
        0 | 1 => Question::Amount(sign, dice.pick(&["100", "100.5", "0", "-3", "500.0", "0.0001"])),
        2 => Question::Count(sign, dice.pick(&["5", "0", "-1", "9007199254740991"])),
        3 => Question::CountIsOneOf(dice.some(&[0, 5, 6, -1]).into_iter().chain([1]).collect()),
        4 => Question::NoteIs(sign == ">", dice.pick(&["x", "gift", "", "é gift é"])),
        5 => {
            let (pattern, parts): (&str, &[&str]) = dice.pick(&[
                ("*gift*", &["", "gift", ""][..]),
                ("a*", &["a", ""]),
                ("*", &["", ""]),
                (r"*\**", &["", "*", ""]),
                ("gift", &["gift"]),
                ("a*g*t", &["a", "g", "t"]),
            ]);
            Question::NoteLike(pattern, parts)
        }
        6 => Question::Sure(dice.pick(&[None, Some(true), Some(false)])),
        7 => Question::To("contains", texts(dice, 1)),
        8 => Question::To("isEmpty", Vec::new()),
        9 => {
            let count = 1 + dice.of(2);
            Question::To(dice.pick(&["containsAny", "containsAll", "=="]), texts(dice, count))
        }
        10 => Question::SumsContain(dice.pick(&["1.5", "1", "2.25", "0.0001"])),
        11 => Question::City(dice.pick(&["rome", "oslo"])),
        12 => Question::Zip(dice.pick(&["1", "2"])),
        13..17 => Question::Match(dice.pick(&FACTS).name),
        17 => Question::Cost(sign, dice.pick(&["3", "2.5", "0", "3.000001"])),
        18 => Question::Steps(sign, dice.pick(&["3", "0"])),
        19 => Question::Label(dice.pick(&LABELS)),
        20 => Question::Hour(sign, dice.pick(&["8", "18", "12"])),
        21 => Question::Weekday(vec!["sat", "sun", "mon"]),
        22 => {
            if sign == ">" {
                Question::DryRun
            } else {
                Question::Extra
            }
        }
        _ => Question::Truth(sign == ">"),
    }
}
