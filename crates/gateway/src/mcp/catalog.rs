//! The accepted catalogue of one server: what a person, or first contact, has taken its tools to be.
//!
//! The client is always served the accepted definition, never the server's latest. A tool whose shape is no
//! longer the accepted one is not called; a tool that nobody has given a level does not exist for agents. The
//! list that counts is that of the very connection that would carry the call.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use placet_engine::{
    json::{Limits, parse, raw},
    names::ToolName,
    tool::{Definition, Offer, Shape},
};

use super::wire::{self, FROM_SERVER};

/// Findings of one server that are told at all; a server that makes up more is not worth listening to.
const TOLD: usize = 1_000;

/// Tools that one finding names.
const NAMED: usize = 32;

/// How long schemas of tools that nobody has accepted yet are read. What comes later is not usable; real lists
/// take milliseconds.
const READING: Duration = Duration::from_secs(10);

/// A definition and the text in which it is served.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// What is judged by.
    pub definition: Arc<Definition>,
    /// What clients see, less anything that claims to be ours.
    pub text: Arc<str>,
}

/// What is accepted of one server, shared by all its connections.
#[derive(Debug, Default)]
pub struct Book {
    accepted: Mutex<BTreeMap<ToolName, Accepted>>,
    closed: Mutex<bool>,
    /// Findings that a person has heard of.
    told: Mutex<BTreeSet<(String, String)>>,
    /// How often the levels of its tools have changed.
    readings: AtomicU64,
}

/// What one connection's server offers, held against the book.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    offers: BTreeMap<ToolName, Offer>,
    texts: BTreeMap<ToolName, Arc<str>>,
    /// What a person should hear of: tools that changed, cannot be used, or have no level.
    pub findings: BTreeMap<String, String>,
}

impl Listing {
    /// What the connection offers under this name.
    pub fn offer(&self, tool: &ToolName) -> Offer {
        self.offers.get(tool).cloned().unwrap_or(Offer::Absent)
    }

    /// The tools that can be called, in a stable order, with the text in which each is served.
    pub fn tools(&self) -> impl Iterator<Item = (&ToolName, &str)> {
        self.texts.iter().map(|(tool, text)| (tool, &**text))
    }
}

impl Book {
    /// A book with these definitions in it, written down earlier.
    pub fn of(accepted: impl IntoIterator<Item = Accepted>) -> Self {
        let by_name = accepted.into_iter().map(|accepted| (accepted.definition.name.clone(), accepted));
        Self { accepted: Mutex::new(by_name.collect()), ..Self::default() }
    }

    /// Says that lists are to be held against it again: tools have got or lost their levels.
    pub fn reread(&self) {
        self.readings.fetch_add(1, Ordering::AcqRel);
    }

    /// How often that was said. A list that was held against it before is none.
    pub fn readings(&self) -> u64 {
        self.readings.load(Ordering::Acquire)
    }

    /// Nothing more is accepted at first contact.
    pub fn close(&self) {
        *self.closed.lock() = true;
    }

    /// The findings of a listing that nobody has heard of yet, each with the tools that it is about.
    pub fn news(&self, listing: &Listing) -> BTreeMap<String, Vec<String>> {
        let mut told = self.told.lock();
        let mut news = BTreeMap::<String, Vec<String>>::new();
        for (tool, finding) in &listing.findings {
            if told.len() < TOLD && told.insert((tool.clone(), finding.clone())) {
                news.entry(finding.clone()).or_default().push(tool.clone());
            }
        }
        for tools in news.values_mut() {
            let more = tools.len().saturating_sub(NAMED);
            tools.truncate(NAMED);
            if more > 0 {
                tools.push(format!("and {more} more"));
            }
        }
        news
    }

    /// The definitions in it.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.accepted.lock().values().cloned().collect()
    }

    /// Holds the server's list against the book. A tool that `has_level` and is not in the book is taken into
    /// it as it is now.
    ///
    /// Takes a while for a list that somebody made to take long: not to be called where others wait. Schemas are
    /// read without the lock, and only those of tools that have a level and are not in the book as they are.
    pub fn hold_against(&self, entries: &[String], has_level: impl Fn(&ToolName) -> bool) -> Listing {
        let mut listing = Listing::default();
        let mut seen = BTreeSet::new();
        let mut offered = Vec::new();
        let begun = Instant::now();
        for entry in entries {
            let text = wire::without_ours(entry);
            let name = wire::member(&text, "name").and_then(wire::text).unwrap_or_default();
            let tool = match name.parse::<ToolName>() {
                Ok(tool) => tool,
                Err(why) => {
                    let why = wire::clipped(&why.to_string());
                    listing.findings.insert(wire::clipped(&name), format!("not usable: {why}"));
                    continue;
                }
            };
            if !seen.insert(tool.clone()) {
                // Two tools of one name: nobody can say which is meant, so neither is called.
                listing.offers.insert(tool.clone(), Offer::Changed);
                listing.findings.insert(wire::clipped(&name), "listed twice, so not callable".to_owned());
                continue;
            }
            if !has_level(&tool) {
                listing.findings.insert(wire::clipped(&name), "without a level, so not callable".to_owned());
                continue;
            }
            match self.read(&tool, &text, begun) {
                Ok(offer) => offered.push((tool, offer, text)),
                Err(why) => listing.unusable(tool, &why),
            }
        }
        let mut accepted = self.accepted.lock();
        let closed = *self.closed.lock();
        for (tool, offered, text) in offered {
            if listing.offers.contains_key(&tool) {
                // Listed twice.
                continue;
            }
            let known = match (accepted.get(&tool), &offered) {
                (Some(known), _) => known.clone(),
                (None, Offered::New(definition)) if !closed => {
                    let fresh = Accepted { definition: Arc::clone(definition), text: text.as_ref().into() };
                    accepted.insert(tool.clone(), fresh.clone());
                    fresh
                }
                (None, Offered::New(_) | Offered::Shape(_)) => {
                    listing
                        .findings
                        .insert(wire::clipped(tool.as_str()), "without a level, so not callable".to_owned());
                    continue;
                }
            };
            if known.definition.shape == offered.shape() {
                listing.texts.insert(tool.clone(), known.text);
                listing.offers.insert(tool, Offer::Accepted(known.definition));
            } else {
                listing
                    .findings
                    .insert(wire::clipped(tool.as_str()), "not the tool that was accepted".to_owned());
                listing.offers.insert(tool, Offer::Changed);
            }
        }
        listing
    }

    /// What a server offers under a name: its shape where that is enough, the whole where the book has none.
    fn read(&self, tool: &ToolName, text: &str, begun: Instant) -> Result<Offered, String> {
        let json = parse(text.as_bytes(), &DEFINITION).map_err(|why| why.to_string())?;
        let known = self.accepted.lock().contains_key(tool);
        if known {
            return Ok(Offered::Shape(Shape::of(&json)));
        }
        if begun.elapsed() > READING {
            return Err("the server's list takes too long to read".to_owned());
        }
        Definition::read(&json).map(|read| Offered::New(Arc::new(read))).map_err(|why| why.to_string())
    }
}

/// One entry of a server's list, as far as it has to be read.
enum Offered {
    /// The book has a tool of this name: what is accepted is held against this.
    Shape(Shape),
    /// It has none.
    New(Arc<Definition>),
}

impl Offered {
    fn shape(&self) -> Shape {
        match self {
            Offered::Shape(shape) => *shape,
            Offered::New(definition) => definition.shape,
        }
    }
}

/// A definition is parsed strictly, but may be larger than a call.
const DEFINITION: Limits = Limits { bytes: 1 << 20, depth: 64, members: 10_000, key_bytes: 1 << 10 };

impl Listing {
    fn unusable(&mut self, tool: ToolName, why: &str) {
        let why = wire::clipped(why);
        self.findings.insert(wire::clipped(tool.as_str()), format!("not usable: {why}"));
        self.offers.insert(tool, Offer::Unusable(why.as_str().into()));
    }
}

/// The entries of a page of `tools/list`, and where the next page begins.
pub fn page(result: &str) -> Option<(Vec<String>, Option<String>)> {
    let tools = wire::member(result, "tools")?;
    let entries = raw::items(tools, &FROM_SERVER).ok()?.into_iter().map(str::to_owned).collect();
    let next = wire::member(result, "nextCursor").and_then(wire::text);
    Some((entries, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, schema: &str) -> String {
        format!("{{\"name\":\"{name}\",\"inputSchema\":{schema}}}")
    }

    const GOOD: &str = r#"{"type":"object"}"#;
    const BAD: &str = r#"{"type":"nonsense"}"#;

    #[test]
    fn of_two_tools_of_one_name_neither_is_called_whatever_they_are() {
        for (first, second) in [(GOOD, GOOD), (BAD, GOOD), (GOOD, BAD), (BAD, BAD)] {
            for known in [false, true] {
                let book = Book::default();
                if known {
                    book.hold_against(&[tool("read", GOOD)], |_| true);
                }
                let listing = book.hold_against(&[tool("read", first), tool("read", second)], |_| true);
                let name = "read".parse().unwrap();
                assert!(
                    matches!(listing.offer(&name), Offer::Changed | Offer::Unusable(_)),
                    "{first} {second} {known}: {listing:?}"
                );
                assert_eq!(listing.tools().count(), 0, "{first} {second} {known}");
            }
        }
    }

    #[test]
    fn a_book_takes_what_has_a_level_and_holds_later_lists_against_it() {
        let book = Book::default();
        let name = "read".parse().unwrap();
        let listing = book.hold_against(&[tool("read", GOOD), tool("other", BAD)], |tool| *tool == name);
        assert!(matches!(listing.offer(&name), Offer::Accepted(_)), "{listing:?}");
        // Nobody can call it, so nobody needs to know whether its schema could be read.
        assert_eq!(listing.findings["other"], "without a level, so not callable");
        let other = r#"{"type":"object","properties":{"a":{}}}"#;
        assert!(matches!(book.hold_against(&[tool("read", other)], |_| true).offer(&name), Offer::Changed));
        book.close();
        let late = book.hold_against(&[tool("read", GOOD), tool("late", GOOD)], |_| true);
        assert!(matches!(late.offer(&name), Offer::Accepted(_)));
        assert!(matches!(late.offer(&"late".parse().unwrap()), Offer::Absent));
    }

    #[test]
    fn what_is_told_of_a_list_is_short_however_long_its_names_are() {
        let long = "\u{7f}".repeat(100_000);
        let mut entries: Vec<_> = (0..500).map(|at| tool(&format!("{at}{long}"), GOOD)).collect();
        entries.extend((0..500).map(|at| tool(&format!("t{at}"), GOOD)));
        entries.push(tool("read", &format!("{{\"type\":\"{}\"}}", "x".repeat(100_000))));
        let book = Book::default();
        let listing = book.hold_against(&entries, |tool| tool.as_str() == "read");
        for (finding, tools) in book.news(&listing) {
            assert!(finding.len() < 1_000, "{finding}");
            assert!(tools.len() <= NAMED + 1, "{finding}: {tools:?}");
            assert!(tools.iter().all(|tool| tool.len() < 1_000), "{finding}");
        }
    }
}
