//! The ledger: an append-only log of bytes whose every past state can be proved.
//!
//! Records are leaves of a Merkle tree (RFC 6962), kept as static files (C2SP tlog-tiles) under a signed head
//! (a *checkpoint*). Whoever holds one checkpoint can tell whether a record before it was changed or removed,
//! with the files and a public key alone. What she cannot tell without a second pair of eyes is whether she was
//! shown the newest head, or the same one as others: that is what witnesses are for.
//!
//! Nothing here knows what a record says; nothing reads a clock, draws a random number, waits for the network,
//! or panics on any bytes. Only [`directory`] touches files.
//!
//! Start at [`log::Log`] to write, at [`verify()`] to check. `tools/placet-verify.py` is a second verifier, written
//! from the specs alone.

pub mod checkpoint;
pub mod commit;
pub mod directory;
pub mod log;
pub mod note;
pub mod proof;
pub mod rotation;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod witness;

pub use verify::verify;
