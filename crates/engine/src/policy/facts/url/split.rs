//! Taking a URL apart: at the first place where each part must end, with no second try.
//!
//! The characters are those of RFC 3986; every reader that allows more allows them in its own way.

use super::{super::Unfit, host::Host};

/// The parts that are asked about.
pub(super) struct Parts<'a> {
    /// In small letters.
    pub(super) scheme: String,
    pub(super) host: Host,
    pub(super) port: Option<u16>,
    /// As it stands; `/` where there is none.
    pub(super) path: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn of(text: &'a str) -> Result<Self, Unfit> {
        if let Some(char) = text.chars().find(|char| !is_of_a_url(*char)) {
            return Err(Unfit::character(char, "it contains"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| Unfit::new("it has no `://` after a scheme"))?;
        if !is_scheme(scheme) {
            return Err(Unfit::new("what stands before its `://` is no scheme"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if rest.starts_with(['?', '#']) {
            return Err(Unfit::new(
                "after its host stands no `/`, where readers disagree about the host's end",
            ));
        }
        if authority.contains('@') {
            return Err(Unfit::new("it has an `@` before its path: what follows that is the host to some"));
        }
        let (host, port) = divided(authority)?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if let Some(char) = path.chars().find(|char| !is_of_a_path(*char)) {
            return Err(Unfit::character(char, "its path contains"));
        }
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            host: Host::parse(host)?,
            port: port.map(port_of).transpose()?,
            path: if path.is_empty() { "/" } else { path },
        })
    }
}

/// The host and the port. In brackets a colon is the host's.
fn divided(authority: &str) -> Result<(&str, Option<&str>), Unfit> {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(end).unwrap_or((authority, ""));
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(Unfit::new("something other than a port follows its host")),
    }
}

fn port_of(digits: &str) -> Result<u16, Unfit> {
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let port = digits.parse().ok().filter(|_| are_digits);
    port.ok_or_else(|| Unfit::new("its port is no number from 1 to 65535"))
}

/// The port of a scheme that is not written.
pub(super) fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn is_of_a_url(char: char) -> bool {
    is_of_a_path(char) || matches!(char, '?' | '#' | '[' | ']')
}

pub(super) fn is_of_a_path(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-._~:/@!$&'()*+,;=%".contains(char)
}

/// Refuses a path that a server may take for another one.
pub(super) fn plain_path(path: &str) -> Result<(), Unfit> {
    if path.contains("//") {
        return Err(Unfit::new("its path has two slashes together"));
    }
    if path.contains(';') {
        return Err(Unfit::new("its path has a `;`, and some servers leave out what follows that"));
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(Unfit::new("its path has a segment `.` or `..`"));
    }
    for (at, _) in path.match_indices('%') {
        let digits =
            path.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        // What is written as an escape although it need not be, or is a separator to whoever undoes it.
        let hides = |byte: u8| {
            byte.is_ascii_alphanumeric()
                || byte.is_ascii_control()
                || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b'\\' | b'%' | b';')
        };
        if byte.is_none_or(hides) {
            return Err(Unfit::new("its path has an escape that is none, or hides what may stand as it is"));
        }
    }
    Ok(())
}
