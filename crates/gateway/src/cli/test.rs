//! `placet test`: the tests that stand in the file, judged offline by the policy beside them.
//!
//! One line for each test, and below one that fails what was expected, what came out and which rules decided.
//! A test that cannot be judged fails too, and so does a run of none: it would prove nothing.

use clap::Args;
use placet_engine::{
    diagnostic::inert,
    json::{Json, Object},
    policy::{
        Judged, Policy,
        config::PolicyTest,
        trial::{Difference, Ran},
    },
};

use super::{Exit, PlaceArguments, check, complain, say};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Only the tests with this in their names
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Each as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let loaded = match check::loaded(&arguments.place) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let is_meant =
        |test: &&PolicyTest| arguments.filter.as_ref().is_none_or(|text| test.name.contains(text.as_str()));
    let tests: Vec<&PolicyTest> = loaded.config.tests.iter().filter(is_meant).collect();
    if tests.is_empty() {
        match &arguments.filter {
            Some(text) => complain(&format!("no test has `{}` in its name", inert(text)), None),
            None => complain("the file has no tests, so nothing is shown", Some("write a table `[[test]]`")),
        }
        return Exit::Unverified;
    }
    let mut failed = 0_usize;
    for test in &tests {
        let ran = test.run(&loaded.policy);
        failed += usize::from(!matches!(ran, Ran::Passed(_)));
        let lines = match arguments.json {
            true => vec![described(test, &ran).compact()],
            false => shown(test, &ran, &loaded.policy, &loaded.name),
        };
        for line in lines {
            if !say(&line) {
                return Exit::Unverified;
            }
        }
    }
    if !arguments.json {
        say(&format!("{} passed, {failed} failed", tests.len() - failed));
    }
    if failed == 0 { Exit::Done } else { Exit::Unverified }
}

fn shown(test: &PolicyTest, ran: &Ran, policy: &Policy, file: &str) -> Vec<String> {
    let failed = || format!("FAIL  {} ({}:{})", test.name, inert(file), test.line);
    match ran {
        Ran::Passed(_) => vec![format!("ok    {}", test.name)],
        Ran::Untried(why) => vec![failed(), format!("        {why}")],
        Ran::Failed { judged, differences } => {
            let mut lines = vec![failed()];
            for Difference { of, expected, got } in differences {
                lines.push(format!("        {of}: expected {}, got {}", inert(expected), inert(got)));
            }
            if let Judged::Refused { reason, .. } = judged {
                lines.push(format!("        why: {}", check::why(reason, &test.given.tool)));
            }
            let rules = judged.policies().iter().filter_map(|id| policy.rule_shown(id));
            lines.extend(rules.map(|rule| format!("        by {}", check::rule_line(&rule, policy, file))));
            if judged.policies().is_empty() {
                lines.push("        by no rule".to_owned());
            }
            lines
        }
    }
}

fn described(test: &PolicyTest, ran: &Ran) -> Json {
    let mut object = Object::new();
    object.insert("name", test.name.as_str());
    object.insert("line", Json::from(i64::try_from(test.line).unwrap_or(0)));
    object.insert("passed", matches!(ran, Ran::Passed(_)));
    match ran {
        Ran::Passed(judged) => outcome(&mut object, judged),
        Ran::Untried(why) => drop(object.insert("untried", why.to_string())),
        Ran::Failed { judged, differences } => {
            outcome(&mut object, judged);
            let differences = differences.iter().map(|Difference { of, expected, got }| {
                let mut difference = Object::new();
                difference.insert("of", *of);
                difference.insert("expected", expected.as_str());
                difference.insert("got", got.as_str());
                Json::Object(difference)
            });
            object.insert("differences", differences.collect::<Vec<_>>());
        }
    }
    Json::Object(object)
}

/// What was judged, as members of a JSON object.
pub(super) fn outcome(object: &mut Object, judged: &Judged) {
    object.insert("decision", judged.word().as_str());
    if let Some(code) = judged.code() {
        object.insert("code", code.as_str());
    }
    let texts = |texts: Vec<String>| texts.into_iter().map(Json::from).collect::<Vec<Json>>();
    object.insert("controls", texts(judged.controls().iter().map(ToString::to_string).collect()));
    object.insert("by", texts(judged.policies().iter().map(ToString::to_string).collect()));
}
