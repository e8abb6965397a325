//! The cases on the engine alone, with a store in memory and a clock that obeys.
//!
//! Each case runs twice: once the tools' definitions are known when the policy is loaded, and once they are met at
//! the first call. Both say the same.

use std::{sync::Arc, time::Duration};

use placet_engine::{
    call::{Call, CallId, DigestKey, DryRun, Mode, Proposal},
    cost::Amount,
    decide::{self, Engine, Outcome, Verdict},
    decision::{Decision, Denial},
    json::{Json, Limits, Object, parse},
    names::{Action, ToolName},
    once::Kept,
    permit::Durable,
    policy::{Policy, Rules, catalogue, config, own_files::OwnFiles},
    state::{Changes, Ending, Known},
    stop::{Leaves, Stop},
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
};
use placet_store::{Memory, Store};

use super::{Answers, Case, Step, client_of};
use crate::ready;

/// It is 08:00 in UTC, on Friday the 15th of January 2027.
const BEGIN: Timestamp = Timestamp(1_800_000_000_000_000);

impl Case {
    /// Holds the engine against it.
    ///
    /// # Panics
    ///
    /// With the case's name, if the engine says something else.
    pub fn run_on_engine(&self) {
        let definitions = self.definitions();
        self.run_with(&definitions, true);
        self.run_with(&definitions, false);
    }

    /// What the servers offer.
    fn definitions(&self) -> Vec<(Action, Arc<Definition>)> {
        let mut definitions = Vec::new();
        for server in self.servers() {
            let offered = parse(self.offers(&server).as_bytes(), &Limits::EDGE).expect("offers");
            for tool in offered.get("tools").and_then(Json::as_array).expect("tools") {
                let definition = Arc::new(Definition::read(tool).expect("a definition"));
                let action = Action::new(server.parse().expect("a name"), definition.name.clone());
                definitions.push((action, definition));
            }
        }
        definitions
    }

    fn run_with(&self, definitions: &[(Action, Arc<Definition>)], known_at_load: bool) {
        let read = config::read(&self.config(|_| "[\"true\"]".to_owned()));
        let config = read.config.unwrap_or_else(|| panic!("{}: {:?}", self.name, read.findings));
        let of = |action: &Action| {
            definitions.iter().find(|(of, _)| of == action).map(|(_, found)| Arc::clone(found))
        };
        let mut tools = catalogue(&config);
        if known_at_load {
            tools.iter_mut().for_each(|(action, tool)| tool.definition = of(action));
        }
        let policy = Policy::compile(Rules::from(&config), tools);
        let policy = policy.unwrap_or_else(|error| panic!("{}: {}: {error}", self.file.display(), self.name));
        let policy = policy.guarding(Arc::new(own_files()));
        let secret = DigestKey::new(&[1; 32]);
        let (engine, store) = (Engine::new(policy, secret.clone()), Memory::new());
        let mut now = Now { wall: BEGIN, boot: BootInstant::default() };
        let keep = |changes: Changes| ready(store.commit::<Durable>(changes)).expect("it is remembered");
        if self.stopped() {
            keep(decide::stop(stop("everything", Leaves::Nothing, now), now));
        }
        for (at, step) in self.steps.iter().enumerate() {
            let place = format!(
                "{}: {}, step {}{}",
                self.file.display(),
                self.name,
                at + 1,
                if known_at_load { "" } else { ", at first contact" }
            );
            let then = step.at.map_or(now.wall, |at| Timestamp::default().plus(Duration::from_secs(at)));
            let passed = Duration::from_secs(step.after) + then.since(now.wall);
            now = Now { wall: now.wall.plus(passed), boot: now.boot.plus(passed) };
            if let Some(scope) = &step.resume {
                keep(decide::resume(scope.parse().expect("a scope"), "a person", "it says so", now));
            }
            if let Some((scope, leaves)) = &step.stop {
                keep(decide::stop(stop(scope, *leaves, now), now));
            }
            let id = CallId::from_random([u8::try_from(at).expect("few steps"); 12]);
            let call = Arc::new(Call::new(id, step.proposal(), &secret));
            let remembered = ready(store.load(&engine.needs(&call, now))).expect("what is known");
            let offer = of(&call.action).map_or(Offer::Absent, Offer::Accepted);
            let Verdict { decision, changes } =
                engine.decide(&call, &Known { paused: false, remembered, offer }, now);
            let (word, code) = match &decision {
                Decision::Allow(_) => ("allow", None),
                Decision::Ask(_) => ("ask", Some("approval_pending")),
                Decision::Deny(Denial { reason, .. }) => ("deny", Some(reason.code().as_str())),
                Decision::Plan(_) => ("plan", None),
                Decision::Replay(_) => ("replay", None),
                Decision::Join(_) => ("join", None),
            };
            assert_eq!(word, step.decision, "{place}: {decision:?}");
            assert_eq!(code, step.code.as_deref(), "{place}");
            assert_eq!(word == "allow", step.reached, "{place}");
            let intent = changes.intent.clone();
            keep(changes);
            if let Some(intent) = intent {
                let (outcome, result) = step.outcome(&secret);
                keep(engine.settle(&intent, &outcome, result.as_ref(), now));
            }
        }
    }
}

/// Files as a node has them, at a home that cases name by `~`.
fn own_files() -> OwnFiles {
    let files =
        [".bashrc", ".profile", ".zshrc", ".config/placet"].map(|file| format!("/home/person/{file}"));
    OwnFiles::new(files, false).at_home("/home/person", Some("person"))
}

impl Step {
    /// What is proposed.
    fn proposal(&self) -> Proposal {
        let tool = self.call.parse().unwrap_or_else(|_| ToolName::of_method("not-a-name"));
        let cost = self.cost.as_deref().map(object).unwrap_or_default();
        let amount = |value: &Json| value.compact().parse::<Amount>().expect("an amount");
        Proposal {
            agent: self.agent.parse().expect("a name"),
            client: client_of(&self.agent).parse().expect("a name"),
            session: None,
            action: Action::new(self.server.parse().expect("a name"), tool),
            arguments: object(&self.arguments),
            meta: Object::new(),
            mode: mode(self.dry_run.as_deref()),
            key: self.key.as_deref().map(Into::into),
            cost: cost.iter().map(|(unit, value)| (unit.parse().expect("a unit"), amount(value))).collect(),
        }
    }

    /// What comes back if it is reached: the same each time, so that only the call tells two apart.
    fn outcome(&self, secret: &DigestKey) -> (Outcome, Option<Json>) {
        let (ending, answered) = match self.answers {
            Answers::Done => (Ending::Succeeded, true),
            Answers::Failed => (Ending::Failed, true),
            Answers::Never => (Ending::Unknown, false),
        };
        let text = format!("{ending:?}");
        let outcome = Outcome {
            note: None,
            bytes: answered.then_some(text.len()),
            digest: answered.then(|| secret.digest([text.as_bytes()])),
            kept: answered.then(|| Kept::Text(text.as_str().into())),
            ..Outcome::without_result(ending, "")
        };
        (outcome, self.result.as_deref().map(|result| Json::Object(object(result))))
    }
}

fn object(text: &str) -> Object {
    parse(text.as_bytes(), &Limits::EDGE).expect("JSON").as_object().cloned().expect("an object")
}

fn stop(scope: &str, leaves: Leaves, now: Now) -> Stop {
    Stop {
        scope: scope.parse().expect("a scope"),
        leaves,
        reason: "it says so".to_owned(),
        by: "a case".to_owned(),
        since: now.wall,
    }
}

fn mode(dry_run: Option<&str>) -> Mode {
    match dry_run {
        None => Mode::Live,
        Some("decide") => Mode::DryRun(DryRun::Decide),
        Some("validate") => Mode::DryRun(DryRun::Validate),
        Some("tool") => Mode::DryRun(DryRun::Tool),
        Some(other) => panic!("`{other}` is no kind of dry run"),
    }
}
