//! Named questions of the test, and what they say of a call's arguments without the engine.

use placet_engine::json::Json;

/// A `[match]` of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    /// The argument that it looks at.
    pub(crate) argument: &'static str,
    /// The place in it, as a refusal names it.
    pub(crate) place: &'static str,
    how: How,
    text: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum How {
    All,
    Any,
    First,
    Few,
    Small,
    Zip,
}

const MAIL: &str = "{ email = { domain = \"corp.example\" } }";

pub(crate) const FACTS: [Fact; 6] = [
    Fact {
        name: "all_ours",
        argument: "to",
        place: "to",
        how: How::All,
        text: "path = \"args.to[*]\"\nall = MAIL",
    },
    Fact {
        name: "few",
        argument: "to",
        place: "to",
        how: How::Few,
        text: "path = \"args.to[*]\"\nlen = { at_most = 1 }",
    },
    Fact {
        name: "first_ours",
        argument: "to",
        place: "to",
        how: How::First,
        text: "path = \"args.to[*]\"\nfirst = MAIL",
    },
    Fact {
        name: "here",
        argument: "home",
        place: "home.zip",
        how: How::Zip,
        text: "path = \"args.home.zip\"\nis = { one_of = [\"1\", \"2\"] }",
    },
    Fact {
        name: "one_ours",
        argument: "to",
        place: "to",
        how: How::Any,
        text: "path = \"args.to[*]\"\nany = MAIL",
    },
    Fact {
        name: "small",
        argument: "count",
        place: "count",
        how: How::Small,
        text: "path = \"args.count\"\nis = { number = { at_most = 5 } }",
    },
];

pub(crate) fn fact(name: &str) -> &'static Fact {
    FACTS.iter().find(|fact| fact.name == name).unwrap_or_else(|| panic!("{name}"))
}

/// All of them as a file has them.
pub(crate) fn file() -> String {
    FACTS.iter().map(|fact| format!("[match.{}]\n{}\n", fact.name, fact.text.replace("MAIL", MAIL))).collect()
}

/// Addresses, and whether each is one of ours; none if it can be read in two ways.
pub(crate) const ADDRESSES: [(&str, Option<bool>); 5] = [
    ("ana@corp.example", Some(true)),
    ("bo@corp.example", Some(true)),
    ("eve@evil.example", Some(false)),
    ("eve@corp.example.evil.example", Some(false)),
    ("ana@corp.example@evil.example", None),
];

impl Fact {
    /// What it says of the value at its place; none if there is no value.
    ///
    /// # Errors
    ///
    /// The message, where an address cannot be judged.
    pub(crate) fn says(&self, value: Option<&Json>) -> Result<Option<bool>, String> {
        let Some(value) = value else { return Ok(None) };
        let is_ours = |at: usize, item: &Json| {
            let text = item.as_str().unwrap();
            let known =
                ADDRESSES.iter().find(|(address, _)| *address == text).and_then(|(_, is_ours)| *is_ours);
            known.ok_or_else(|| format!("`args.to[{at}]` cannot be judged: it has more than one `@`"))
        };
        let items = value.as_array().unwrap_or_default();
        let all =
            || items.iter().enumerate().map(|(at, item)| is_ours(at, item)).collect::<Result<Vec<_>, _>>();
        Ok(match self.how {
            How::All => Some(!items.is_empty() && all()?.iter().all(|ours| *ours)),
            How::Any => Some(all()?.contains(&true)),
            How::First => items.first().map(|first| is_ours(0, first)).transpose()?,
            How::Few => Some(items.len() <= 1),
            How::Small => Some(value.as_i64().unwrap() <= 5),
            How::Zip => Some(["1", "2"].contains(&value.as_str().unwrap())),
        })
    }
}
