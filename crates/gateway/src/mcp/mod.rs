//! MCP: one client on one side, one tool server on the other, the gate between them.
//!
//! [`session`] is a connection: it reads the client's messages, has calls judged, and relays the rest under
//! the table in [`methods`]. [`wire`] is the envelope, [`catalog`] what a server's tools were accepted to be,
//! [`refusal`] the only place that makes wire text of a denial.
//!
//! Both eras are spoken, each with servers that speak it too: revisions up to 2025-11-25, which begin with
//! `initialize`, and 2026-07-28, which carries everything in each request.

pub mod catalog;
pub mod meta;
pub mod methods;
pub mod out;
pub mod refusal;
pub mod session;
pub mod uris;
pub mod wire;

/// The two families of revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25: begins with `initialize`.
    Legacy,
    /// 2026-07-28: everything stands in each request.
    Modern,
}

/// The newest revision of the older era, and the one that is offered to clients that ask for another.
pub const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The revision of the newer era.
pub const MODERN: &str = "2026-07-28";
