//! URLs, as far as all readers take them apart alike.
//!
//! A check and a client that disagree about where a host ends are the oldest way around a list of hosts. So a
//! URL here is `scheme://host[:port]/path?query#fragment` and nothing more: no name and password, no
//! backslash, no blank, no escapes or letters beyond ASCII in the host, addresses in their one usual form, and
//! a `/` after the host wherever something follows it. A path is compared only if a server reads it alike:
//! without dot segments, doubled slashes, parameters, and letters that are written as escapes.
//!
//! Not here: where a name leads. `internal.evil.example` may be 127.0.0.1. Start at [`UrlTest`].

mod host;
mod split;

use super::{Unfit, case::Compared, domain::Domain, text_of};
use crate::json::Json;

pub(in crate::policy) use self::host::Host;
use self::split::{Parts, plain_path};

/// Whether a URL has all of what is asked for.
///
/// ```
/// # use placet_engine::{json::Json, policy::facts::url::{UrlTest, Wanted}};
/// let ours = UrlTest::new(&Wanted {
///     schemes: vec!["https".to_owned()],
///     host_suffix: Some("corp.example".to_owned()),
///     ..Wanted::default()
/// })?;
/// assert_eq!(ours.judge(&Json::from("https://wiki.corp.example/a?b#c")), Ok(true));
/// assert_eq!(ours.judge(&Json::from("https://corp.example.evil.example/")), Ok(false));
/// assert!(ours.judge(&Json::from("https://corp.example@evil.example/")).is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTest {
    pub(in crate::policy) schemes: Vec<String>,
    pub(in crate::policy) hosts: Vec<Host>,
    pub(in crate::policy) host_suffix: Option<Domain>,
    pub(in crate::policy) ports: Vec<u16>,
    pub(in crate::policy) path_prefix: Option<String>,
}

/// What is asked for; of the lists one must fit, and an empty one asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Schemes, in small letters and without `:`.
    pub schemes: Vec<String>,
    /// Hosts, exactly these: names, addresses, and addresses of IPv6 in brackets.
    pub hosts: Vec<String>,
    /// A domain, itself or one below it.
    pub host_suffix: Option<String>,
    /// Ports; that of the scheme counts where the URL has none.
    pub ports: Vec<u16>,
    /// How the path begins: whole segments of it.
    pub path_prefix: Option<String>,
}

impl UrlTest {
    /// Asks for all of this.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if nothing is asked for, or for what no URL has.
    pub fn new(wanted: &Wanted) -> Result<Self, Unfit> {
        let Wanted { schemes, hosts, host_suffix, ports, path_prefix } = wanted;
        if let Some(scheme) =
            schemes.iter().find(|scheme| !split::is_scheme(scheme) || **scheme != scheme.to_ascii_lowercase())
        {
            return Err(Unfit::new(format!(
                "`{scheme}` is no scheme: write it as `https`, in small letters"
            )));
        }
        if ports.contains(&0) {
            return Err(Unfit::new("a port is a number from 1 to 65535"));
        }
        if let Some(prefix) = path_prefix {
            if !prefix.starts_with('/') {
                return Err(Unfit::new("a path begins with `/`"));
            }
            if let Some(char) = prefix.chars().find(|char| !split::is_of_a_path(*char)) {
                return Err(Unfit::character(char, "the path of a URL cannot contain"));
            }
            plain_path(prefix)?;
        }
        if schemes.is_empty()
            && hosts.is_empty()
            && host_suffix.is_none()
            && ports.is_empty()
            && path_prefix.is_none()
        {
            return Err(Unfit::new("`url` asks for nothing, as `{ host = \"corp.example\" }` does"));
        }
        Ok(Self {
            schemes: schemes.clone(),
            hosts: hosts.iter().map(|host| Host::parse(host)).collect::<Result<_, _>>()?,
            host_suffix: host_suffix.as_deref().map(Domain::parse).transpose()?,
            ports: ports.clone(),
            path_prefix: path_prefix.clone(),
        })
    }

    /// Whether a value is a URL that has all of it.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if it is no URL, or one that two readers may take apart in two ways.
    pub fn judge(&self, value: &Json) -> Result<bool, Unfit> {
        let Parts { scheme, host, port, path } = Parts::of(text_of(value)?)?;
        let port_fits = if self.ports.is_empty() {
            true
        } else {
            let port = port.or_else(|| split::usual_port(&scheme));
            let port = port.ok_or_else(|| Unfit::new("it has no port, and its scheme has no usual one"))?;
            self.ports.contains(&port)
        };
        let path_fits = match &self.path_prefix {
            None => true,
            Some(prefix) => {
                plain_path(path)?;
                Compared::of(path, std::slice::from_ref(prefix), is_below).certain("its path")?
            }
        };
        let scheme_fits = self.schemes.is_empty() || self.schemes.contains(&scheme);
        let host_fits = self.hosts.is_empty() || self.hosts.contains(&host);
        let suffix_fits = self.host_suffix.as_ref().is_none_or(|suffix| host.is_within(suffix));
        Ok(scheme_fits && host_fits && suffix_fits && port_fits && path_fits)
    }
}

/// Whether a path is the prefix or goes on below it.
fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
