//! Placet: the boundary between an AI agent's model and the tools it can reach.
//!
//! *The model proposes, policy decides.* This crate is the shell around the engine: the gate that every call
//! passes, the upstreams that reach tools, the surfaces (in this process, MCP over stdio, the command line),
//! and the one binary, `placet`.
//!
//! To put the boundary into a program of your own, start at [`Gateway`]. The way of one call is [`gate`].

pub mod applied;
pub mod attach;
pub mod cli;
pub mod client_io;
pub mod clock;
pub mod commitment;
pub mod config;
pub mod credential;
pub mod effective;
pub mod embed;
pub mod fail_modes;
pub mod frame;
pub mod gate;
pub mod init;
pub mod inline;
pub mod inputs;
pub mod latch;
pub mod lock;
pub mod mcp;
pub mod node;
pub mod own_files;
pub mod payloads;
pub mod place;
pub mod sealer;
pub mod sequencer;
pub mod signing;
pub mod upstream;
pub mod vet;
pub mod witness;
pub mod words;

pub use embed::{Agent, Budget, Context, Gateway, Key, Once, Plan, Reply, Tool, Window};
pub use placet_engine::{
    json::{Json, Object},
    level::Level,
};
pub use placet_store::sqlite::{PayloadKey, PayloadKeys};
