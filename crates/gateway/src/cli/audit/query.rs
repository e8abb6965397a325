//! `placet audit query` and `export`: records picked out by what they say, or all of them for another program.

use std::io::{self, BufWriter, Write as _};

use clap::{Args, ValueEnum};
use placet_engine::{
    call::CallId,
    diagnostic::inert,
    json::{Json, Limits, Object, parse},
    record::Kind,
};
use placet_store::sqlite::{Entry, OpenError, PayloadError, Reader};

use super::{
    super::{Exit, PlaceArguments, complain},
    openings, readable, unreadable,
};

/// Records read at once.
const BATCH: u32 = 1_000;

/// Which stretch of time.
#[derive(Args, Debug)]
struct Span {
    /// Not before this moment, as RFC 3339 in UTC or its beginning: 2026-11-22, 2026-11-22T09:30Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
}

impl Span {
    /// Times of records have one width and one zone, so they are ordered as texts; a date stands before all its
    /// moments. A record without a time is in no span.
    fn holds(&self, record: &Object) -> bool {
        let at = record.get("at").and_then(Json::as_str);
        let after = self.since.as_deref().is_none_or(|since| at.is_some_and(|at| at >= since));
        let before = self.until.as_deref().is_none_or(|until| at.is_some_and(|at| at < until));
        after && before
    }
}

/// A moment in UTC, or the beginning of one, without the `Z`.
fn moment(text: &str) -> Result<String, String> {
    let plain = text.strip_suffix('Z').unwrap_or(text);
    let shape = "0000-00-00T00:00:00.000";
    let fits = plain.len() <= shape.len()
        && plain.chars().zip(shape.chars()).all(|(char, place)| match place {
            '0' => char.is_ascii_digit(),
            other => char == other,
        });
    let whole = [10, 13, 16, 19, 23].contains(&plain.len()) && (plain.len() == 10 || text.ends_with('Z'));
    if fits && whole {
        Ok(plain.to_owned())
    } else {
        Err("a moment is as 2026-11-22 or 2026-11-22T09:30:00Z".to_owned())
    }
}

#[derive(Args, Debug)]
pub(super) struct QueryArguments {
    /// Of this kind: intent, outcome, refusal, …
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Of this tool, `server/tool`
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// Of this call, `d_…`
    #[arg(long, value_name = "CALL_ID", value_parser = call)]
    call: Option<CallId>,
    #[command(flatten)]
    span: Span,
    /// The first so many that fit
    #[arg(long, default_value_t = 1_000, value_name = "COUNT")]
    limit: u64,
    /// Each as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

fn kind(text: &str) -> Result<Kind, String> {
    text.parse().map_err(|()| format!("kinds are {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

fn call(text: &str) -> Result<CallId, String> {
    CallId::parse(text).ok_or_else(|| "a call's identifier is `d_` and 20 characters".to_owned())
}

impl QueryArguments {
    fn holds(&self, record: &Object) -> bool {
        let is = |key: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| record.get(key).and_then(Json::as_str) == Some(wanted))
        };
        is("kind", &self.kind.map(|kind| kind.as_str().to_owned()))
            && is("agent", &self.agent)
            && is("tool", &self.tool)
            && is("call", &self.call.map(|call| call.to_string()))
            && self.span.holds(record)
    }
}

pub(super) fn run(arguments: &QueryArguments) -> Result<(), Exit> {
    let reader = super::open(&arguments.place)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut left = arguments.limit;
    let mut cut = false;
    each(&reader, |entry, record| {
        if !arguments.holds(record) {
            return true;
        }
        if left == 0 {
            cut = true;
            return false;
        }
        left -= 1;
        let line = if arguments.json {
            entry.body.clone()
        } else {
            format!("{:6} {}", entry.seq, readable(&entry.body))
        };
        writeln!(out, "{line}").is_ok()
    })?;
    // Whoever closed the pipe wants no more of it.
    drop(out.flush());
    if cut {
        complain("there are more records that fit", Some("`--limit` shows more, `--since` later ones"));
    }
    Ok(())
}

/// Every record in order, until `see` has seen enough. What is no JSON object is shown by its bytes elsewhere, and
/// fits nothing here.
fn each(reader: &Reader, mut see: impl FnMut(&Entry, &Object) -> bool) -> Result<(), Exit> {
    let mut after = 0;
    loop {
        let entries = reader.after(after, BATCH).map_err(|error| unreadable(&error))?;
        let Some(last) = entries.last() else { return Ok(()) };
        after = last.seq;
        for entry in &entries {
            let record = match parse(entry.body.as_bytes(), &Limits::EDGE) {
                Ok(Json::Object(record)) => record,
                Ok(_) | Err(_) => Object::new(),
            };
            if !see(entry, &record) {
                return Ok(());
            }
        }
    }
}

/// What another program reads.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Each record as it stands in the ledger, one in a line
    Jsonl,
    /// A table whose last column is the whole record
    Csv,
}

#[derive(Args, Debug)]
pub(super) struct ExportArguments {
    /// For a program that reads JSON, or for a spreadsheet
    #[arg(long, value_enum)]
    format: Format,
    /// And what opens the commitments: salt and arguments of each intent, where they are not erased
    #[arg(long)]
    with_arguments: bool,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    place: PlaceArguments,
}

/// The columns between a record's number and its whole text.
const COLUMNS: [&str; 9] = ["at", "kind", "call", "agent", "client", "tool", "level", "mode", "run"];

pub(super) fn export(arguments: &ExportArguments) -> Result<(), Exit> {
    let reader = if arguments.with_arguments {
        super::open_with_keys(&arguments.place)?
    } else {
        super::open(&arguments.place)?
    };
    let mut sealed = (0_u64, None);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut open = match arguments.format {
        Format::Jsonl => true,
        // RFC 4180 ends lines with both characters.
        Format::Csv => {
            let openings = if arguments.with_arguments { "salt,arguments," } else { "" };
            write!(out, "seq,{},{openings}record\r\n", COLUMNS.join(",")).is_ok()
        }
    };
    let mut unread = None;
    if open {
        each(&reader, |entry, record| {
            if !arguments.span.holds(record) {
                return open;
            }
            let opening = match arguments.with_arguments.then(|| opening(&reader, entry, record, &mut sealed))
            {
                Some(Ok(opening)) => Some(opening),
                Some(Err(error)) => {
                    unread = Some(error);
                    return false;
                }
                None => None,
            };
            open = match arguments.format {
                Format::Jsonl => writeln!(out, "{}", lines(entry, opening.flatten())).is_ok(),
                Format::Csv => write!(out, "{}\r\n", row(entry, record, opening)).is_ok(),
            };
            open
        })?;
    }
    drop(out.flush());
    if let (count, Some(why)) = sealed {
        complain(&format!("the arguments of {count} intents are not here: they are {why}"), None);
    }
    unread.map_or(Ok(()), |error| Err(unreadable(&error)))
}

/// What opens the commitment of an intent's record. Those that cannot be read are counted.
fn opening(
    reader: &Reader,
    entry: &Entry,
    record: &Object,
    sealed: &mut (u64, Option<PayloadError>),
) -> Result<Option<(String, String)>, OpenError> {
    let is_intent = record.get("kind").and_then(Json::as_str) == Some(Kind::Intent.as_str());
    let Some(call) = entry.call.filter(|_| is_intent) else { return Ok(None) };
    let kept = reader.call(call)?;
    if let Some(why) = kept.as_ref().and_then(|kept| kept.unreadable) {
        *sealed = (sealed.0 + 1, Some(why));
    }
    Ok(kept.and_then(|kept| openings::shown(record, &kept.intent)))
}

/// A record as it stands in the ledger, and what opens it on a line of its own below: `arguments` is the text that
/// was committed to, as it stands.
fn lines(entry: &Entry, opening: Option<(String, String)>) -> String {
    match opening {
        Some((salt, arguments)) => format!(
            "{}\n{{\"opens\":{},\"salt\":\"{salt}\",\"arguments\":{arguments}}}",
            entry.body, entry.seq
        ),
        None => entry.body.clone(),
    }
}

/// A row of the table. `opening` is there if its columns are, whether or not there is anything in them.
fn row(entry: &Entry, record: &Object, opening: Option<Option<(String, String)>>) -> String {
    let opening = opening.map(|opening| {
        let (salt, arguments) = opening.unwrap_or_default();
        format!("{},{},", cell(&salt), cell(&arguments))
    });
    let columns = COLUMNS.map(|key| {
        let text = record.get(key).map(|value| value.as_str().map_or_else(|| value.compact(), str::to_owned));
        cell(&text.unwrap_or_default())
    });
    format!("{},{},{}{}", entry.seq, columns.join(","), opening.unwrap_or_default(), cell(&entry.body))
}

/// One cell. What a spreadsheet would take for a formula gets an apostrophe before it, and what cannot be seen is
/// written out, so that no record can act, begin a row, or look like another.
fn cell(text: &str) -> String {
    let text = inert(text);
    let acts =
        text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    format!("\"{}{}\"", if acts { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_or_a_second_row() {
        for (text, wanted) in [
            ("crm/read", "\"crm/read\""),
            ("say \"no\", twice", "\"say \"\"no\"\", twice\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@x", "\"'@x\""),
            (" =1", "\"' =1\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("a\r\nb", "\"a\\u{d}\\u{a}b\""),
            ("\t=1", "\"\\u{9}=1\""),
            ("\u{202e}x", "\"\\u{202e}x\""),
        ] {
            assert_eq!(cell(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_moment_is_a_beginning_of_the_form_that_records_have() {
        for good in ["2026-11-22", "2026-11-22T09:30Z", "2026-11-22T09:30:00Z", "2026-11-22T09:30:00.125Z"] {
            assert!(moment(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "2026",
            "2026-11",
            "yesterday",
            "2026-11-22T09:30:00+02:00",
            "2026-11-22 09:30",
            "2026-11-22T09:30",
        ] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
