//! `agent.sock`: clients of agents attach here, each with its credential.
//!
//! The node, not the client, says who a client is: the secret in its first frame is held against the digests
//! in the configuration file. What a client may reach, and as which agent, is that entry's.

use std::{path::PathBuf, sync::Arc};

use placet_engine::{
    json::{Json, Limits, Object, parse},
    names::{ClientName, ServerName},
    policy::config::{Client, Config, Cwd},
    record::Kind,
};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::UnixStream,
    sync::mpsc,
    time::{Duration, timeout},
};

use super::{Node, change::Connection};
use crate::{
    attach::PROTOCOL,
    client_io, config,
    frame::{Frame, Kind as FrameKind},
    mcp::{
        out::Out,
        session::{Inbound, Session, Settings},
    },
    upstream::stdio::Log,
};

/// How long a client may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(5);

/// Serves one attached client until it is gone.
pub(super) async fn serve(node: &Arc<Node>, stream: UnixStream) {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::with_capacity(64 << 10, input);
    let hello = match timeout(INTRODUCTION, Frame::receive(&mut input)).await {
        Ok(Ok(Some(frame))) if frame.kind == FrameKind::Hello => frame,
        Ok(_) | Err(_) => return,
    };
    node.look().await;
    let (settings, gap, connection) = match introduce(node, &hello.payload) {
        Ok(introduced) => introduced,
        Err(why) => {
            (node.log)(&format!("a client was turned away: {why}"));
            let reason = Json::Object(Object::from([("error", Json::from(why.as_str()))]));
            let refused = Frame { kind: FrameKind::Refused, seq: 0, payload: reason.compact().into_bytes() };
            // A client that is gone already needs no reason.
            output.write_all(&refused.encode()).await.unwrap_or_default();
            return;
        }
    };
    if gap > 0 {
        let client = Json::from(settings.client.as_str());
        node.note(Kind::Gap, [("client", client), ("calls", Json::from(gap))]).await;
    }
    let welcome = Frame { kind: FrameKind::Welcome, seq: 0, payload: Vec::new() };
    if output.write_all(&welcome.encode()).await.is_err() {
        return;
    }
    let (inbox, inbound) = mpsc::channel(client_io::INBOX);
    let (mut ending, mut retired) = (node.ending.subscribe(), connection.retired());
    let reading = tokio::spawn(async move {
        loop {
            let frame = tokio::select! {
                frame = Frame::receive(&mut input) => frame,
                _ = ending.wait_for(|ending| *ending) => return,
                _ = retired.wait_for(|retired| *retired) => return,
            };
            let Ok(Some(Frame { kind, seq, payload })) = frame else { return };
            // Nothing else comes from a client that has been let in.
            if !matches!(kind, FrameKind::Message | FrameKind::Again) {
                return;
            }
            let again = kind == FrameKind::Again;
            if inbox.send(Inbound { seq, line: payload, again }).await.is_err() {
                return;
            }
        }
    });
    Session::new(Arc::clone(&node.gate), settings, Out::frames(output)).run(inbound).await;
    reading.abort();
    drop(connection);
}

/// Who a client is and what it may reach, or why it is not let in.
fn introduce(node: &Node, payload: &[u8]) -> Result<(Settings, i64, Arc<Connection>), String> {
    let hello =
        parse(payload, &Limits::EDGE).map_err(|error| format!("its introduction cannot be read: {error}"))?;
    let text = |key: &str| hello.get(key).and_then(Json::as_str);
    if hello.get("protocol").and_then(Json::as_i64) != Some(PROTOCOL) {
        return Err(format!(
            "it is another version of Placet than the node, which is {}; end the node with `placet node stop`",
            env!("CARGO_PKG_VERSION")
        ));
    }
    let ours = node.places.config.to_string_lossy();
    if text("config") != Some(&*ours) {
        return Err(format!("it wants another configuration file than `{ours}`, which this node serves"));
    }
    // A change that is under way finds this connection, or this connection finds the change.
    let mut connections = node.connections.lock();
    let served = node.served.load_full();
    let (name, client) = credential(&served.config, text("secret").unwrap_or_default())
        .ok_or("its credential is none of this file's clients; run `placet init` again")?;
    let server = chosen(client, text("server"))?;
    let entry = served
        .config
        .servers
        .get(&server)
        .ok_or_else(|| format!("there is no server `{server}` in the file"))?;
    let book = served.books.get(&server).cloned().unwrap_or_default();
    let folder = text("folder").map(PathBuf::from);
    let folder = folder.filter(|_| entry.launch.cwd == Cwd::Client);
    let log: Log = {
        let (log, server) = (Arc::clone(&node.log), server.clone());
        Arc::new(move |line| log(&format!("[{server}] {line}")))
    };
    let connection = Connection::new(name.clone(), server.clone());
    let settings = Settings {
        agent: client.agent.clone(),
        client: name.clone(),
        launch: config::launch(entry, folder.as_deref())?,
        requests: entry.requests.clone(),
        meta: entry.meta.clone(),
        resources: entry.resources.clone(),
        integers: entry.integers,
        server,
        book,
        learn: None,
        log,
        // A client that goes away only detaches: what runs is finished here, and recorded.
        drain: placet_engine::policy::config::terms::Tool::DEADLINE,
        retired: Some(connection.retired()),
    };
    connections.push(Arc::downgrade(&connection));
    Ok((settings, hello.get("gap").and_then(Json::as_i64).unwrap_or(0), connection))
}

/// The client whose credential this secret is. Digests are compared, so the time taken tells nothing of them.
fn credential<'a>(config: &'a Config, secret: &str) -> Option<(&'a ClientName, &'a Client)> {
    let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    config.clients.iter().find(|(_, client)| client.credential.0 == digest)
}

/// The server that a client asks for, if it may reach it; the only one, if it asks for none.
fn chosen(client: &Client, asked: Option<&str>) -> Result<ServerName, String> {
    match (asked, client.servers.iter().collect::<Vec<_>>().as_slice()) {
        (Some(asked), servers) => servers
            .iter()
            .find(|server| server.as_str() == asked)
            .map(|server| (*server).clone())
            .ok_or_else(|| "its credential does not reach that server".to_owned()),
        (None, [only]) => Ok((*only).clone()),
        (None, []) => Err("its credential reaches no server".to_owned()),
        (None, _) => Err("its credential reaches several servers, so it must name one".to_owned()),
    }
}
