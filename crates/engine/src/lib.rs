//! Placet's engine: judges one proposed call, without IO, clock, `async` or randomness.
//!
//! *The model proposes, policy decides.* An agent proposes a [`call::Call`]; [`decide::Engine::decide`] answers
//! with a [`decision::Decision`] and with what must be remembered before anybody acts on it. So any decision can
//! be explained, replayed and tested, and the shell around it has nothing to decide.
//!
//! | module | what is in it |
//! |---|---|
//! | [`json`] | the strict parser, our own [`json::Json`], RFC 8785 text |
//! | [`names`], [`level`], [`call`], [`tool`], [`schema`] | what is proposed, and what it is about |
//! | [`policy`] | `placet.toml`, its lowering to Cedar, slices, judgement |
//! | [`decide`], [`decision`], [`approval`] | the way of one call, and its answers |
//! | [`cost`], [`window`], [`budget`], [`once`] | what a call costs, how much may be spent, and what happens once |
//! | [`state`], [`session`], [`stop`], [`record`] | what is known before, and kept after |
//! | [`permit`] | typed proof that a call was allowed and that this is remembered |
//!
//! # Example
//!
//! An agent that holds *read* and *write* may read, and is refused a delete:
//!
//! ```
//! use placet_engine::{level::{Level, LevelSet}, names::{Action, AgentName}};
//! use placet_engine::policy::{Judged, Policy, Rules, Tool, config::Agent};
//!
//! let tool = |level: Level| Tool::from(level);
//! let read: Action = "crm/read_user".parse()?;
//! let delete: Action = "crm/delete_user".parse()?;
//! let catalogue = [(read.clone(), tool(Level::Read)), (delete.clone(), tool(Level::Delete))].into();
//!
//! let support: AgentName = "support".parse()?;
//! let remit = Agent { levels: LevelSet::of([Level::Read, Level::Write]), ..Agent::default() };
//! let rules = Rules { agents: [(support.clone(), remit)].into(), ..Rules::default() };
//!
//! let policy = Policy::compile(rules, catalogue)?;
//! assert!(matches!(policy.judge(&support, &read), Judged::Granted { .. }));
//! assert!(matches!(policy.judge(&support, &delete), Judged::Refused { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod approval;
pub mod budget;
pub mod call;
pub mod cost;
pub mod decide;
pub mod decision;
pub mod diagnostic;
pub mod json;
pub mod level;
pub mod limits;
pub mod names;
pub mod once;
pub mod permit;
pub mod policy;
pub mod record;
pub mod schema;
pub mod session;
pub mod state;
pub mod stop;
pub mod time;
pub mod tool;
pub mod window;
