//! Questions: is there a call that these policies allow, and those refuse?
//!
//! The policies are a slice's own, as the engine judges by them, over a schema of what they read. What is assumed of
//! a call becomes a policy that refuses all others. So a question is a set of policies of which is asked whether it
//! allows anything at all, or anything that another set does not allow; *no* is a proof of the opposite.
//!
//! Start at [`Question`]. Not here: putting it to a solver, and making a call of what comes back.

use std::{str::FromStr, sync::Arc};

use cedar_policy::{Context, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::{CompiledPolicySet, CompiledSchema};
use placet_engine::policy::slice::{Read, Ruled, Slice};
use serde_json::Value;

use crate::{expression::only_where, solver::Why};

/// One policy of a question.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: Arc<str>,
    pub(crate) line: usize,
    pub(crate) est: Value,
}

impl From<&Ruled> for Rule {
    fn from(rule: &Ruled) -> Self {
        Self { id: Arc::clone(&rule.id), line: rule.line, est: rule.est.clone() }
    }
}

/// Is there a call that `allows` allows and `denies`, if there is such a set, does not?
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) read: Read,
    pub(crate) allows: Vec<Rule>,
    pub(crate) denies: Option<Vec<Rule>>,
    /// What is true of the calls among which one is sought.
    pub(crate) assumed: Vec<Value>,
}

/// What a solver says to a question.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// There is no such call.
    No,
    /// There is one, of which this is the context.
    Yes(Box<Context>),
    /// It did not say.
    Untold(Why),
}

/// A question as the solver's library takes it.
pub(crate) struct Compiled {
    pub(crate) allows: CompiledPolicySet,
    pub(crate) denies: Option<CompiledPolicySet>,
}

impl Question {
    /// A text that is the same for the same question, whoever asks.
    pub(crate) fn key(&self) -> String {
        let texts = |rules: &[Rule]| {
            let mut texts: Vec<String> = rules.iter().map(|rule| rule.est.to_string()).collect();
            texts.sort_unstable();
            texts.dedup();
            texts.join("\n")
        };
        let mut assumed: Vec<String> = self.assumed.iter().map(Value::to_string).collect();
        assumed.sort_unstable();
        let denies = self.denies.as_deref().map(texts);
        format!("{}\n\n{denies:?}\n\n{}\n\n{:?}", texts(&self.allows), assumed.join("\n"), self.read)
    }

    pub(crate) fn compiled(&self) -> Result<Compiled, Why> {
        let failed = |error: String| Why::Failed(error);
        let schema = self.read.schema().map_err(|error| failed(error.to_string()))?;
        let symbols = CompiledSchema::new(&schema).map_err(|error| failed(error.to_string()))?;
        let over = Over { environment: environment().map_err(failed)?, schema, symbols };
        let assumed: Vec<Rule> = self.assumed.iter().map(assumption).collect();
        let allows: Vec<Rule> = self.allows.iter().cloned().chain(assumed).collect();
        let denies = self.denies.as_deref().map(|denies| over.set(denies)).transpose()?;
        Ok(Compiled { allows: over.set(&allows)?, denies })
    }
}

fn assumption(value: &Value) -> Rule {
    Rule { id: "what is certain of a call".into(), line: 0, est: only_where(value) }
}

/// Over what policies are compiled.
struct Over {
    environment: RequestEnv,
    schema: Schema,
    symbols: CompiledSchema,
}

impl Over {
    fn set(&self, rules: &[Rule]) -> Result<CompiledPolicySet, Why> {
        let policies = rules.iter().enumerate().map(|(at, rule)| {
            Policy::from_json(Some(PolicyId::new(format!("{at}"))), rule.est.clone())
                .map_err(|error| rule.refused(&error.to_string()))
        });
        let policies = policies.collect::<Result<Vec<_>, Why>>()?;
        let all = PolicySet::from_policies(policies.iter().cloned())
            .map_err(|error| Why::Failed(error.to_string()))?;
        self.compiled(&all).map_err(|error| {
            // Which of them it is the library does not say, so each is tried by itself.
            let guilty = rules.iter().zip(&policies).find_map(|(rule, policy)| {
                let one = PolicySet::from_policies([policy.clone()]).ok()?;
                self.compiled(&one).err().map(|error| rule.refused(&error))
            });
            guilty.unwrap_or(Why::Failed(error))
        })
    }

    fn compiled(&self, set: &PolicySet) -> Result<CompiledPolicySet, String> {
        let symbols = self.symbols.sym_env(&self.environment).map_err(|error| error.to_string())?;
        CompiledPolicySet::compile_with_custom_symenv(set, &self.environment, &self.schema, symbols)
            .map_err(|error| error.to_string())
    }
}

impl Rule {
    fn refused(&self, what: &str) -> Why {
        Why::Policy { id: self.id.to_string(), line: self.line, what: what.to_owned() }
    }
}

fn environment() -> Result<RequestEnv, String> {
    let kind = |name| EntityTypeName::from_str(name).map_err(|error| error.to_string());
    let action =
        EntityUid::from_str(&format!("Action::\"{}\"", Slice::ACTION)).map_err(|error| error.to_string())?;
    Ok(RequestEnv::new(kind("Agent")?, action, kind("Server")?))
}
