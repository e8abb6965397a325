//! The scenario this project began with, as a program of your own: an agent that holds read and write reads a
//! user, is refused a webhook, pauses the user, and is refused a delete.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use parking_lot::Mutex;
use placet::{Agent, Gateway, Json, Level, Object, Tool};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let users = Arc::new(Mutex::new(BTreeMap::from([(42, "active".to_owned())])));
    let user = json!({ "type": "object", "properties": { "user_id": { "type": "integer" } }, "required": ["user_id"] });
    let (reading, pausing, deleting) = (Arc::clone(&users), Arc::clone(&users), Arc::clone(&users));

    let gateway = Gateway::builder()
        .agent(Agent::new("support").holds([Level::Read, Level::Write]))
        .tool(Tool::new("read_user", Level::Read).schema(user.clone()).run(move |args, _| {
            let id = args.get("user_id").and_then(Json::as_i64).unwrap_or_default();
            let status = reading.lock().get(&id).cloned();
            async move {
                let status = status.ok_or_else(|| format!("user {id} not found"))?;
                Ok(Json::Object(Object::from([("id", Json::from(id)), ("status", Json::from(status))])))
            }
        }))
        .tool(Tool::new("pause_user", Level::Write).schema(user.clone()).run(move |args, _| {
            let id = args.get("user_id").and_then(Json::as_i64).unwrap_or_default();
            let paused = pausing.lock().insert(id, "paused".to_owned()).is_some();
            async move { if paused { Ok(Json::from("paused")) } else { Err(format!("user {id} not found")) } }
        }))
        .tool(Tool::new("send_webhook", Level::Execute).run(|_, _| async { Ok(Json::from("sent")) }))
        .tool(Tool::new("delete_user", Level::Delete).schema(user).run(move |args, _| {
            let id = args.get("user_id").and_then(Json::as_i64).unwrap_or_default();
            deleting.lock().remove(&id);
            async { Ok(Json::from("deleted")) }
        }))
        .build()
        .await?;

    let proposed = [
        ("read_user", json!({ "user_id": 42 })),
        ("send_webhook", json!({})),
        ("pause_user", json!({ "user_id": 42 })),
        ("delete_user", json!({ "user_id": 42 })),
    ];
    for (action, parameters) in proposed {
        let reply = gateway.execute("support", "an example", action, parameters).await?;
        // The model reads this, and goes on by other means where it was refused.
        println!("{}", reply.to_json());
    }
    assert_eq!(
        users.lock().get(&42).map(String::as_str),
        Some("paused"),
        "the world changed as policy allowed"
    );
    Ok(())
}
