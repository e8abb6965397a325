//! `placet demo`: the boundary at work on tools of this process, with a real store in a temporary folder.
//!
//! The scenes are small worlds with one user in them. `allowed-actions` prints what an agent's loop would see;
//! the others show one thing each that the boundary stops, and look at the world afterwards to see that it did
//! not change.

mod state;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Exit, complain, runtime, say};
use crate::embed::{Agent, BuildError, ExecuteError, Gateway, Plan, Reply, Tool};
use placet_engine::{
    json::{Json, Object},
    level::Level,
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// One scene; without it, all that are built
    scene: Option<Scene>,
    /// One full result a line, as JSON
    #[arg(long)]
    json: bool,
    /// Be one of the processes of a scene that call through this socket
    #[arg(long, hide = true, value_name = "SOCKET")]
    caller: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scene {
    AllowedActions,
    ReadOnly,
    AllowList,
    DryRun,
    Stop,
    Approval,
    Budget,
    Once,
    Audit,
}

/// The scenes that exist, in the order in which they are shown.
const BUILT: [Scene; 8] = [
    Scene::AllowedActions,
    Scene::ReadOnly,
    Scene::AllowList,
    Scene::DryRun,
    Scene::Budget,
    Scene::Once,
    Scene::Stop,
    Scene::Audit,
];

pub(super) fn run(arguments: &Arguments) -> Exit {
    if let Some(socket) = &arguments.caller {
        return match state::caller(socket) {
            Ok(()) => Exit::Done,
            Err(error) => {
                complain(&format!("the scene cannot be reached: {error}"), None);
                Exit::Unavailable
            }
        };
    }
    let scenes = match arguments.scene {
        Some(scene) if !BUILT.contains(&scene) => {
            let name = scene.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
            complain(
                &format!("the scene `{name}` is not built yet"),
                Some("`placet demo` shows those that are"),
            );
            return Exit::Usage;
        }
        Some(scene) => vec![scene],
        None => BUILT.to_vec(),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    for scene in scenes {
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => {
                complain(&format!("no temporary folder can be made: {error}"), None);
                return Exit::Unavailable;
            }
        };
        let stage = Stage { state: folder.path(), json: arguments.json, alone: arguments.scene.is_some() };
        match runtime.block_on(stage.play(scene)) {
            Ok(true) => {}
            Ok(false) => return Exit::Done,
            Err(Broken::Build(error)) => {
                complain(&format!("the scene cannot be set up: {error}"), None);
                return Exit::Unavailable;
            }
            Err(Broken::Call(error)) => {
                complain(&format!("the scene went wrong: {error}"), None);
                return Exit::Bug;
            }
            Err(Broken::World(what)) => {
                complain(&format!("the boundary did not hold: {what}"), None);
                return Exit::Bug;
            }
        }
    }
    Exit::Done
}

/// Why a scene ended early.
enum Broken {
    Build(BuildError),
    Call(ExecuteError),
    World(&'static str),
}

impl From<BuildError> for Broken {
    fn from(error: BuildError) -> Self {
        Broken::Build(error)
    }
}

impl From<ExecuteError> for Broken {
    fn from(error: ExecuteError) -> Self {
        Broken::Call(error)
    }
}

/// The users of a scene.
#[derive(Clone)]
struct World {
    users: Arc<Mutex<BTreeMap<i64, User>>>,
    sent: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, PartialEq)]
struct User {
    name: &'static str,
    status: String,
}

impl World {
    fn new() -> Self {
        let anna = User { name: "Anna", status: "active".to_owned() };
        Self { users: Arc::new(Mutex::new([(42, anna)].into())), sent: Arc::default() }
    }

    fn status(&self) -> Option<String> {
        self.users.lock().get(&42).map(|user| user.status.clone())
    }

    /// The registry of the learning scenario: one tool of each level.
    fn gateway(&self, stage: &Stage<'_>, agent: Agent) -> crate::embed::Builder {
        let user = json!({ "type": "object", "properties": { "user_id": { "type": "integer" } }, "required": ["user_id"] });
        let status = json!({ "type": "object", "required": ["user_id", "status"], "properties": {
            "user_id": { "type": "integer" }, "status": { "type": "string", "enum": ["active", "paused"] } } });
        let event = json!({ "type": "object", "properties": { "event": { "type": "string" } }, "required": ["event"] });
        let (read, update, plan, send, delete) =
            (self.clone(), self.clone(), self.clone(), self.clone(), self.clone());
        Gateway::builder()
            .agent(agent)
            .state(stage.state)
            .tool(Tool::new("read_user", Level::Read).schema(user.clone()).run(move |args, _| {
                let found = read.user(&args).map(|(id, user)| shown(id, &user));
                async move { found }
            }))
            .tool(
                Tool::new("update_user_status", Level::Write)
                    .schema(status)
                    .run(move |args, _| {
                        let updated = update.set_status(&args);
                        async move { updated }
                    })
                    .plan(move |args, _| {
                        let planned = plan.user(&args).map(|(id, user)| {
                            Plan::change(format!("user/{id}/status"), user.status, text(&args, "status"))
                        });
                        async move { planned }
                    }),
            )
            .tool(Tool::new("send_webhook", Level::Execute).schema(event).run(move |args, _| {
                send.sent.lock().push(text(&args, "event"));
                async {
                    Ok(Json::Object(Object::from([("ok", Json::from(true)), ("sent", Json::from(true))])))
                }
            }))
            .tool(Tool::new("delete_user", Level::Delete).schema(user).run(move |args, _| {
                let removed = delete.user(&args).map(|(id, _)| {
                    delete.users.lock().remove(&id);
                    Json::Object(Object::from([("ok", Json::from(true)), ("deleted", Json::from(id))]))
                });
                async move { removed }
            }))
    }

    fn user(&self, args: &Json) -> Result<(i64, User), String> {
        let id = args.get("user_id").and_then(Json::as_i64).unwrap_or_default();
        let user = self.users.lock().get(&id).cloned();
        user.map(|user| (id, user)).ok_or_else(|| format!("user {id} not found"))
    }

    fn set_status(&self, args: &Json) -> Result<Json, String> {
        let (id, mut user) = self.user(args)?;
        user.status = text(args, "status");
        self.users.lock().insert(id, user.clone());
        Ok(shown(id, &user))
    }
}

fn text(args: &Json, key: &str) -> String {
    args.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn shown(id: i64, user: &User) -> Json {
    let user = Object::from([
        ("id", Json::from(id)),
        ("name", Json::from(user.name)),
        ("status", Json::from(user.status.as_str())),
    ]);
    Json::Object(Object::from([("ok", Json::from(true)), ("user", Json::Object(user))]))
}

/// Where a scene plays, and how it is shown.
struct Stage<'a> {
    state: &'a std::path::Path,
    json: bool,
    alone: bool,
}

const AGENT: &str = "support";

impl Stage<'_> {
    /// Plays a scene; false if nobody listens any more.
    async fn play(&self, scene: Scene) -> Result<bool, Broken> {
        match scene {
            Scene::AllowedActions => self.allowed_actions().await,
            Scene::ReadOnly => self.read_only().await,
            Scene::AllowList => self.allow_list().await,
            Scene::DryRun => self.dry_run().await,
            Scene::Stop => self.stop().await,
            Scene::Budget => self.budget().await,
            Scene::Once => self.once().await,
            Scene::Audit => self.audit().await,
            Scene::Approval => Ok(true),
        }
    }

    /// The scenario that this project began with: an agent that holds read and write.
    async fn allowed_actions(&self) -> Result<bool, Broken> {
        let world = World::new();
        let agent = Agent::new(AGENT).holds([Level::Read, Level::Write]);
        let gateway = world.gateway(self, agent).build().await?;
        let proposed = [
            ("read_user", json!({ "user_id": 42 })),
            ("send_webhook", json!({ "event": "user-reviewed" })),
            ("update_user_status", json!({ "user_id": 42, "status": "paused" })),
            ("delete_user", json!({ "user_id": 42 })),
        ];
        for (at, (action, parameters)) in proposed.into_iter().enumerate() {
            let reply = gateway.execute(AGENT, "demo", action, parameters.clone()).await?;
            let heard = if self.json {
                say(&Json::Object(reply.without_decision()).spaced())
            } else {
                let call = Object::from([("action", Json::from(action)), ("parameters", plain(&parameters))]);
                say(&format!("\n=== STEP {} ===", at + 1))
                    && say(&format!("Model call: {}", Json::Object(call).spaced()))
                    && say(&format!("Gateway result: {}", in_brief(&reply)))
            };
            if !heard {
                return Ok(false);
            }
        }
        held(world.status().as_deref() == Some("paused"), "the allowed write did not happen")?;
        held(world.sent.lock().is_empty(), "a webhook was sent")?;
        Ok(self.json || say("\nDone: policy boundary demonstrated."))
    }

    async fn read_only(&self) -> Result<bool, Broken> {
        let world = World::new();
        let gateway = world.gateway(self, Agent::new(AGENT).holds([Level::Read])).build().await?;
        let read = gateway.execute(AGENT, "demo", "read_user", json!({ "user_id": 42 })).await?;
        let write = gateway.execute(AGENT, "demo", "update_user_status", paused()).await?;
        held(read.ok(), "a read was refused")?;
        held(!write.ok() && world.status().as_deref() == Some("active"), "a write went through")?;
        Ok(self.tell(
            &[&read, &write],
            "read-only",
            "the agent holds read; a write was refused, and user 42 is still active",
        ))
    }

    async fn allow_list(&self) -> Result<bool, Broken> {
        let world = World::new();
        let agent = Agent::new(AGENT)
            .holds([Level::Read, Level::Write])
            .allow("send_webhook")
            .deny("update_user_status");
        let gateway = world.gateway(self, agent).build().await?;
        let send =
            gateway.execute(AGENT, "demo", "send_webhook", json!({ "event": "user-reviewed" })).await?;
        let write = gateway.execute(AGENT, "demo", "update_user_status", paused()).await?;
        held(send.ok() && world.sent.lock().len() == 1, "a tool allowed by name did not run")?;
        held(!write.ok() && world.status().as_deref() == Some("active"), "a denied tool ran")?;
        Ok(self.tell(
            &[&send, &write],
            "allow-list",
            "send_webhook is allowed by name though execute is not held; a denied write was refused though write is held, and user 42 is still active",
        ))
    }

    async fn dry_run(&self) -> Result<bool, Broken> {
        let world = World::new();
        let gateway =
            world.gateway(self, Agent::new(AGENT).holds([Level::Read, Level::Write])).build().await?;
        let planned = gateway.dry_run(AGENT, "demo", "update_user_status", paused()).await?;
        let misspelt = json!({ "user_id": 42, "status": "asleep" });
        let wrong = gateway.dry_run(AGENT, "demo", "update_user_status", misspelt).await?;
        held(planned.ok() && !wrong.ok(), "a dry run was judged otherwise than a live call")?;
        held(world.status().as_deref() == Some("active"), "a dry run changed the world")?;
        let plan = planned.result().map(Json::spaced).unwrap_or_default();
        Ok(self.tell(
            &[&planned, &wrong],
            "dry-run",
            &format!("pausing was validated and planned, {plan}; bad arguments were refused as they would be live, and user 42 is still active"),
        ))
    }

    async fn stop(&self) -> Result<bool, Broken> {
        let world = World::new();
        let gateway =
            world.gateway(self, Agent::new(AGENT).holds([Level::Read, Level::Write])).build().await?;
        gateway.stop("demo", "show it").await.map_err(|error| Broken::Build(BuildError::Store(error)))?;
        let stopped = gateway.execute(AGENT, "demo", "update_user_status", paused()).await?;
        held(!stopped.ok() && world.status().as_deref() == Some("active"), "a call ran under a stop")?;
        drop(gateway);
        // The stop outlives the process that was told of it: another one on the same state refuses too.
        let again = world.gateway(self, Agent::new(AGENT).holds([Level::Read, Level::Write])).build().await?;
        let refused = again.execute(AGENT, "demo", "update_user_status", paused()).await?;
        held(!refused.ok() && world.status().as_deref() == Some("active"), "a stop was forgotten")?;
        again.resume("demo", "shown").await.map_err(|error| Broken::Build(BuildError::Store(error)))?;
        let resumed = again.execute(AGENT, "demo", "update_user_status", paused()).await?;
        held(resumed.ok(), "a resume had no effect")?;
        Ok(self.tell(
            &[&stopped, &refused, &resumed],
            "stop",
            "everything was stopped; the write was refused before and after a restart, and ran only once a person resumed",
        ))
    }

    /// Shows a scene's results, or in one line what it stopped.
    fn tell(&self, replies: &[&Reply], scene: &str, line: &str) -> bool {
        if self.json {
            return replies.iter().all(|reply| say(&Json::Object(reply.without_decision()).spaced()));
        }
        let refusals = || replies.iter().filter_map(|reply| reply.error());
        let blank = self.alone || say("");
        blank
            && say(&format!("{scene}: {line}"))
            && refusals().all(|error| say(&format!("  refused: {error}")))
    }
}

fn held(truth: bool, otherwise: &'static str) -> Result<(), Broken> {
    if truth { Ok(()) } else { Err(Broken::World(otherwise)) }
}

fn paused() -> Value {
    json!({ "user_id": 42, "status": "paused" })
}

/// The host's value in our form, for printing. What is written here as a literal always has one.
fn plain(value: &Value) -> Json {
    use placet_engine::json::{Limits, parse};
    parse(value.to_string().as_bytes(), &Limits::EDGE).unwrap_or(Json::Null)
}

/// A result as the scenario prints it: the history stands before the result and is always `[{...}]`.
fn in_brief(reply: &Reply) -> String {
    let result = Json::Object(reply.without_decision());
    let member = |key: &str| result.get(key).map(|value| format!("\"{key}\": {}", value.spaced()));
    let history = "\"history\": [{...}]".to_owned();
    let parts = [member("ok"), member("action"), Some(history), member("result"), member("error")];
    format!("{{{}}}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
