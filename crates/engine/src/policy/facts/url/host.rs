//! Hosts of URLs: a name, or an address in its one usual form.
//!
//! `127.1`, `0x7f.0.0.1` and `2130706433` all reach 127.0.0.1 from some clients, and are names or mistakes to
//! others. A host whose last label is a number is here an address of four plain decimals or nothing. An IPv6
//! address that holds an IPv4 one is the same machine under a second name, and is not taken.

use super::super::{
    Unfit,
    domain::{Domain, ends_in_a_number},
};
use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Host {
    Name(Domain),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Host {
    pub(super) fn parse(text: &str) -> Result<Self, Unfit> {
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']').and_then(|inside| inside.parse::<Ipv6Addr>().ok());
            // Written back alike, it is in the form of RFC 5952. Parsing is strict about brackets and zones.
            let usual = address.filter(|address| format!("[{address}]") == text);
            let own = usual.filter(|address| {
                address.to_ipv4().is_none()
                    || *address == Ipv6Addr::LOCALHOST
                    || *address == Ipv6Addr::UNSPECIFIED
            });
            return own.map(Host::V6).ok_or_else(|| {
                Unfit::new(
                    "its host is in brackets but no address of IPv6 in its usual form, as `[2001:db8::1]`",
                )
            });
        }
        if ends_in_a_number(text) {
            // The library takes four decimals without leading zeros, and nothing else.
            return text.parse().map(Host::V4).map_err(|_| {
                Unfit::new(
                    "its host ends in a number but is no address of four plain decimals, as `10.0.0.1`",
                )
            });
        }
        Domain::parse(text).map(Host::Name)
    }

    /// Whether it is a name, and that of the domain or one below it.
    pub(super) fn is_within(&self, domain: &Domain) -> bool {
        match self {
            Host::Name(name) => name.is_within(domain),
            Host::V4(_) | Host::V6(_) => false,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => name.fmt(f),
            Host::V4(address) => address.fmt(f),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}
