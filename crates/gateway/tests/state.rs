//! The gate over what is remembered: the same call twice, stops while calls are out, a store that fails and works
//! again, in one's own program and without a process to kill.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use placet::{Agent, Budget, Gateway, Json, Key, Level, Object, Once, Reply, Tool, Window};
use placet_engine::policy::config::terms::Reconcile;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// A world in which something is done: how often, and when it may go on.
struct World {
    done: AtomicUsize,
    begun: Semaphore,
    may_end: Semaphore,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self { done: AtomicUsize::new(0), begun: Semaphore::new(0), may_end: Semaphore::new(0) })
    }

    /// A tool that waits, once it has begun, until it may end.
    fn slow(self: &Arc<Self>, name: &str, level: Level) -> Tool {
        let world = Arc::clone(self);
        Tool::new(name, level).schema(open()).run(move |_, _| {
            let world = Arc::clone(&world);
            async move {
                let nth = world.done.fetch_add(1, Ordering::SeqCst);
                world.begun.add_permits(1);
                world.may_end.acquire().await.unwrap().forget();
                Ok(Json::Object(Object::from([("nth", Json::from(i64::try_from(nth).unwrap()))])))
            }
        })
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    async fn until_begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }
}

fn open() -> Value {
    json!({ "type": "object", "properties": { "id": {}, "amount": { "type": "number" } } })
}

fn bot() -> Agent {
    Agent::new("bot").holds(Level::ALL)
}

async fn build(tools: Vec<Tool>) -> Gateway {
    let builder = tools.into_iter().fold(Gateway::builder().agent(bot()), placet::embed::Builder::tool);
    builder.build().await.unwrap()
}

fn ask(
    gateway: &Gateway,
    action: &'static str,
    parameters: Value,
    key: Option<&'static str>,
) -> tokio::task::JoinHandle<Reply> {
    let gateway = gateway.clone();
    tokio::spawn(async move {
        match key {
            Some(key) => gateway.execute_once("bot", "run", action, parameters, key).await.unwrap(),
            None => gateway.execute("bot", "run", action, parameters).await.unwrap(),
        }
    })
}

fn code(reply: &Reply) -> String {
    let placet = reply.to_json().get("placet").cloned().unwrap();
    let word = placet.get("code").or_else(|| placet.get("decision")).cloned().unwrap();
    word.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_same_write_at_the_same_time_is_made_once_and_answered_twice() {
    for key in [None, Some("k-1")] {
        let world = World::new();
        let gateway = build(vec![world.slow("write", Level::Write)]).await;
        let first = ask(&gateway, "write", json!({ "id": 1 }), key);
        world.until_begun().await;
        let second = ask(&gateway, "write", json!({ "id": 1 }), key);
        let other = ask(&gateway, "write", json!({ "id": 2 }), None);
        world.until_begun().await;
        world.may_end.add_permits(2);
        let (first, second, other) = (first.await.unwrap(), second.await.unwrap(), other.await.unwrap());
        assert_eq!(first.result(), second.result(), "{key:?}");
        assert_eq!((code(&first), code(&second)), ("allow".to_owned(), "replay".to_owned()), "{key:?}");
        assert_ne!(first.result(), other.result(), "another call is another call");
        assert_eq!(world.done(), 2, "{key:?}");
    }
}

#[tokio::test]
async fn the_same_read_at_the_same_time_is_read_twice() {
    let world = World::new();
    let gateway = build(vec![world.slow("read", Level::Read)]).await;
    let both = [ask(&gateway, "read", json!({}), None), ask(&gateway, "read", json!({}), None)];
    world.until_begun().await;
    world.until_begun().await;
    world.may_end.add_permits(2);
    for reply in both {
        assert!(reply.await.unwrap().ok());
    }
    assert_eq!(world.done(), 2, "what was read before a write must not answer who reads after it");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_too_long_for_the_same_one_is_told_that_it_is_under_way() {
    let world = World::new();
    let gateway = build(vec![world.slow("write", Level::Write)]).await;
    let first = ask(&gateway, "write", json!({}), Some("k"));
    world.until_begun().await;
    // Time stands still but for those who wait: twenty-five seconds pass at once.
    let second = ask(&gateway, "write", json!({}), Some("k")).await.unwrap();
    assert_eq!(code(&second), "in_progress");
    world.may_end.add_permits(1);
    assert!(first.await.unwrap().ok());
    assert_eq!(code(&ask(&gateway, "write", json!({}), Some("k")).await.unwrap()), "replay");
    assert_eq!(world.done(), 1);
}

#[tokio::test]
async fn a_key_is_one_calls_alone() {
    let world = World::new();
    world.may_end.add_permits(100);
    let gateway = build(vec![
        world.slow("write", Level::Write),
        world.slow("pay", Level::Execute).once(Once { by: Key::Required, ..Once::default() }),
    ])
    .await;
    let first = ask(&gateway, "write", json!({ "id": 1 }), Some("k")).await.unwrap();
    let again = ask(&gateway, "write", json!({ "id": 1 }), Some("k")).await.unwrap();
    let other = ask(&gateway, "write", json!({ "id": 2 }), Some("k")).await.unwrap();
    assert_eq!(
        (code(&first), code(&again), code(&other)),
        ("allow".into(), "replay".into(), "key_reused".into())
    );
    assert_eq!(code(&ask(&gateway, "pay", json!({}), None).await.unwrap()), "key_missing");
    assert_eq!(
        code(&ask(&gateway, "pay", json!({}), Some("k")).await.unwrap()),
        "allow",
        "another tool's key"
    );
    assert!(gateway.execute_once("bot", "run", "write", json!({}), "no blanks").await.is_err());
    assert_eq!(world.done(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_call_behind() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let gateway = Gateway::builder()
        .agent(bot())
        .tool(world.slow("write", Level::Write))
        .state(folder.path())
        .build()
        .await
        .unwrap();
    let impatient =
        tokio::time::timeout(Duration::ZERO, gateway.execute("bot", "run", "write", json!({ "id": 1 })));
    drop(impatient.await);
    world.until_begun().await;
    world.may_end.add_permits(2);
    // The same call waits for it if it is not over yet, so it has been settled when this is answered.
    let reply = gateway.execute("bot", "run", "write", json!({ "id": 1 })).await.unwrap();
    assert!(reply.ok() && world.done() <= 2, "{reply:?}");
    gateway.flush().await.unwrap();
    let reader = placet_store::sqlite::Reader::open(folder.path()).unwrap();
    for state in [placet_engine::state::Open::Running, placet_engine::state::Open::Unknown] {
        assert_eq!(reader.open_calls(state).unwrap(), Vec::new(), "every call has its outcome");
    }
}

#[tokio::test]
async fn a_stop_waits_for_the_first_step_of_a_tool_and_a_tool_may_stop_itself() {
    let gateway = Arc::new(std::sync::OnceLock::<Gateway>::new());
    let (own, steps) = (Arc::clone(&gateway), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&steps);
    let panic_button = Tool::new("panic_button", Level::Write).run(move |_, _| {
        let (own, counted) = (Arc::clone(&own), Arc::clone(&counted));
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            let kept = own.get().unwrap().stop("the tool", "it was pressed").await;
            kept.map(|()| Json::from("stopped")).map_err(|error| error.to_string())
        }
    });
    let built = build(vec![panic_button]).await;
    gateway.set(built.clone()).unwrap_or_else(|_| panic!("it is set once"));
    let pressed =
        tokio::time::timeout(Duration::from_secs(20), built.execute("bot", "run", "panic_button", json!({})));
    assert!(pressed.await.unwrap().unwrap().ok());
    assert_eq!(code(&built.execute("bot", "run", "panic_button", json!({})).await.unwrap()), "stopped");
    assert_eq!(steps.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn sixteen_callers_of_one_budget_spend_what_it_has_and_no_more() {
    let spent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&spent);
    let buy = Tool::new("buy", Level::Write).schema(open()).cost("usd", "args.amount").run(move |args, _| {
        counted
            .fetch_add(args.get("amount").and_then(Json::as_i64).unwrap().unsigned_abs(), Ordering::SeqCst);
        async { Ok(Json::from(true)) }
    });
    let gateway = Gateway::builder()
        .agent(bot())
        .tool(buy)
        .budget(Budget::spend("shopping", "usd", "10.50").of_agent("bot").per(Window::Total))
        .build()
        .await
        .unwrap();
    let calls: Vec<_> =
        (0..16).map(|id| ask(&gateway, "buy", json!({ "id": id, "amount": 1 }), None)).collect();
    let mut codes = Vec::new();
    for call in calls {
        codes.push(code(&call.await.unwrap()));
    }
    assert_eq!(codes.iter().filter(|code| *code == "allow").count(), 10, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| *code == "budget_spent").count(), 6, "{codes:?}");
    assert_eq!(spent.load(Ordering::SeqCst), 10);
    let missing = ask(&gateway, "buy", json!({ "id": 99 }), None).await.unwrap();
    assert_eq!(code(&missing), "cost_unknown", "what has no price is not bought");
    assert!(missing.error().unwrap().contains("amount"), "{:?}", missing.error());
}

#[tokio::test]
async fn a_loop_is_stopped_and_something_else_ends_it() {
    let look = |name: &str, level| {
        Tool::new(name, level).schema(open()).run(|_, _| async { Ok(Json::from("same")) })
    };
    let gateway = build(vec![
        look("look", Level::Read),
        look("touch", Level::Write),
        look("poll", Level::Read).repeat(),
    ])
    .await;
    for (action, before) in [("look", 9), ("touch", 4)] {
        for nth in 0..before {
            assert!(ask(&gateway, action, json!({}), None).await.unwrap().ok(), "{action} {nth}");
        }
        assert_eq!(code(&ask(&gateway, action, json!({}), None).await.unwrap()), "loop_stopped", "{action}");
        assert!(ask(&gateway, action, json!({ "id": 2 }), None).await.unwrap().ok(), "something else");
        assert!(
            ask(&gateway, action, json!({}), None).await.unwrap().ok(),
            "and then it is no loop any more"
        );
    }
    for _ in 0..30 {
        assert!(
            ask(&gateway, "poll", json!({}), None).await.unwrap().ok(),
            "a tool that says that it repeats"
        );
    }
}

/// Pays an order, and nobody knows whether that worked; a look-up tells.
async fn shop(happened: bool) -> (Gateway, Arc<World>) {
    let world = World::new();
    let pays = Arc::clone(&world);
    let pay = Tool::new("pay", Level::Execute).schema(open()).once(Once {
        by: Key::By(vec!["args.id".parse().unwrap()]),
        within: Once::BY_WITHIN,
        reconcile: Some(Reconcile {
            tool: "find_payment".parse().unwrap(),
            arguments: [("id".to_owned(), "args.id".parse().unwrap())].into(),
            happened: "result.paid".parse().unwrap(),
        }),
        ..Once::default()
    });
    let pay = pay.run(move |_, _| {
        let first = pays.done.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            // The first attempt breaks off, wherever it was.
            assert!(!first, "the connection is gone");
            Ok(Json::from("paid"))
        }
    });
    let find = Tool::new("find_payment", Level::Read)
        .schema(open())
        .run(move |_, _| async move { Ok(Json::Object(Object::from([("paid", Json::from(happened))]))) });
    (build(vec![pay, find]).await, world)
}

#[tokio::test]
async fn a_look_up_settles_what_nobody_knows() {
    let (gateway, world) = shop(true).await;
    let first = ask(&gateway, "pay", json!({ "id": 7 }), None).await.unwrap();
    assert_eq!(code(&first), "outcome_unknown");
    let again = ask(&gateway, "pay", json!({ "id": 7 }), None).await.unwrap();
    assert_eq!((code(&again), world.done()), ("already_done".to_owned(), 1), "it had happened");

    let (gateway, world) = shop(false).await;
    ask(&gateway, "pay", json!({ "id": 7 }), None).await.unwrap();
    let again = ask(&gateway, "pay", json!({ "id": 7 }), None).await.unwrap();
    assert_eq!((code(&again), world.done()), ("allow".to_owned(), 2), "it had not, so it may be made");
    let third = ask(&gateway, "pay", json!({ "id": 7 }), None).await.unwrap();
    assert_eq!((code(&third), world.done()), ("replay".to_owned(), 2));
}

#[tokio::test]
async fn what_nobody_can_look_up_stays_unknown_and_is_not_tried_again() {
    let world = World::new();
    let pays = Arc::clone(&world);
    let once = Once { by: Key::By(vec!["args.id".parse().unwrap()]), ..Once::default() };
    let pay = Tool::new("pay", Level::Execute).schema(open()).once(once).run(move |_, _| {
        pays.done.fetch_add(1, Ordering::SeqCst);
        async { panic!("the connection is gone") }
    });
    let gateway = build(vec![pay]).await;
    for _ in 0..3 {
        let reply = ask(&gateway, "pay", json!({ "id": 7 }), None).await.unwrap();
        assert_eq!((code(&reply), world.done()), ("outcome_unknown".to_owned(), 1));
    }
}
