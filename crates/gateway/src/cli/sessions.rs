//! `placet sessions`: which sessions run, what they have seen, and ending one.

use clap::{Args, Subcommand};
use placet_engine::{
    json::{Json, Object},
    names::Label,
};

use super::{Exit, PlaceArguments, audit, orders, say};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sessions, the latest first
    List {
        /// Each as one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// End a client's session; the next one inherits nothing of it
    End {
        /// The client
        client: String,
        /// The host's name for the run, if it gave one
        #[arg(long, value_name = "NAME", default_value = "")]
        run: String,
        #[command(flatten)]
        place: PlaceArguments,
    },
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let done = match &arguments.command {
        Command::List { json, place } => list(*json, place),
        Command::End { client, run, place } => end(client, run, place),
    };
    done.err().unwrap_or(Exit::Done)
}

fn list(json: bool, place: &PlaceArguments) -> Result<(), Exit> {
    let reader = audit::open(place)?;
    for (key, session) in reader.sessions().map_err(|error| audit::unreadable(&error))? {
        let run = key.name.as_deref().unwrap_or_default();
        let labels = session.labels.iter().map(Label::as_str);
        let line = if json {
            Json::Object(Object::from([
                ("session", Json::from(session.id.to_string())),
                ("client", Json::from(key.client.as_str())),
                ("run", Json::from(run)),
                ("opened_at", Json::from(session.opened_at.to_string())),
                ("last_at", Json::from(session.last_at.to_string())),
                ("steps", Json::from(i64::try_from(session.steps).unwrap_or(i64::MAX))),
                ("labels", Json::Array(labels.map(Json::from).collect())),
            ]))
            .compact()
        } else {
            let labels = labels.collect::<Vec<_>>().join(" ");
            let line = format!(
                "{} {:16} {run} {} steps since {}, last {} {labels}",
                session.id, key.client, session.steps, session.opened_at, session.last_at
            );
            placet_engine::diagnostic::inert(line.trim_end()).into_owned()
        };
        if !say(&line) {
            return Ok(());
        }
    }
    Ok(())
}

fn end(client: &str, run: &str, place: &PlaceArguments) -> Result<(), Exit> {
    orders::give(place, "end_session", [("client", Json::from(client)), ("run", Json::from(run))])?;
    say(&format!("the session of `{client}` has ended"));
    Ok(())
}
