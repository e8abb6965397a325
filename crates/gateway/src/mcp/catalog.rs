//! The accepted catalogue of one server: what a person, or first contact, has taken its tools to be.
//!
//! The client is always served the accepted definition, never the server's latest. A tool whose shape is no
//! longer the accepted one is not called; a tool that nobody has given a level does not exist for agents. The
//! list that counts is that of the very connection that would carry the call.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;
use placet_engine::{
    json::{Limits, parse, raw},
    names::ToolName,
    tool::{Definition, Offer},
};

use super::wire::{self, FROM_SERVER};

/// Findings of one server that are told at all; a server that makes up more is not worth listening to.
const TOLD: usize = 1_000;

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
        news
    }

    /// The definitions in it.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.accepted.lock().values().cloned().collect()
    }

    /// Holds the server's list against the book. A tool that `has_level` and is not in the book is taken into
    /// it as it is now.
    pub fn hold_against(&self, entries: &[String], has_level: impl Fn(&ToolName) -> bool) -> Listing {
        let mut listing = Listing::default();
        let mut accepted = self.accepted.lock();
        let closed = *self.closed.lock();
        let mut seen = BTreeSet::new();
        for entry in entries {
            let text = wire::without_ours(entry);
            let name = wire::member(&text, "name").and_then(wire::text).unwrap_or_default();
            let shown = placet_engine::diagnostic::inert(&name).into_owned();
            let parsed = parse(text.as_bytes(), &DEFINITION);
            let definition = match parsed.as_ref().map(Definition::read) {
                Ok(Ok(definition)) => Arc::new(definition),
                Ok(Err(why)) => {
                    listing.unusable(&name, why.to_string());
                    continue;
                }
                Err(why) => {
                    listing.unusable(&name, why.to_string());
                    continue;
                }
            };
            let tool = definition.name.clone();
            if !seen.insert(tool.clone()) {
                // Two tools of one name: nobody can say which is meant, so neither is called.
                listing.texts.remove(&tool);
                listing.offers.insert(tool, Offer::Changed);
                listing.findings.insert(shown, "listed twice, so not callable".to_owned());
                continue;
            }
            let known = match accepted.get(&tool) {
                Some(known) => known.clone(),
                None if has_level(&tool) && !closed => {
                    let fresh = Accepted { definition: Arc::clone(&definition), text: text.as_ref().into() };
                    accepted.insert(tool.clone(), fresh.clone());
                    fresh
                }
                None => {
                    listing.findings.insert(shown, "without a level, so not callable".to_owned());
                    continue;
                }
            };
            if known.definition.shape == definition.shape {
                listing.texts.insert(tool.clone(), known.text);
                listing.offers.insert(tool, Offer::Accepted(known.definition));
            } else {
                listing.offers.insert(tool, Offer::Changed);
                listing.findings.insert(shown, "not the tool that was accepted".to_owned());
            }
        }
        listing
    }
}

/// A definition is parsed strictly, but may be larger than a call.
const DEFINITION: Limits = Limits { bytes: 1 << 20, depth: 64, members: 10_000, key_bytes: 1 << 10 };

impl Listing {
    fn unusable(&mut self, name: &str, why: String) {
        if let Ok(tool) = name.parse::<ToolName>() {
            self.texts.remove(&tool);
            self.offers.insert(tool, Offer::Unusable(why.as_str().into()));
        }
        let shown = placet_engine::diagnostic::inert(name).into_owned();
        self.findings.insert(shown, format!("not usable: {why}"));
    }
}

/// The entries of a page of `tools/list`, and where the next page begins.
pub fn page(result: &str) -> Option<(Vec<String>, Option<String>)> {
    let tools = wire::member(result, "tools")?;
    let entries = raw::items(tools, &FROM_SERVER).ok()?.into_iter().map(str::to_owned).collect();
    let next = wire::member(result, "nextCursor").and_then(wire::text);
    Some((entries, next))
}
