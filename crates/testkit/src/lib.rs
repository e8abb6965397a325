//! Placet's tests: a tool server that writes down what reaches it, a client that says what it is told to, and
//! the runner of `cases/*.yaml`.
//!
//! Nothing here is shipped. The server and the client are processes of their own, so that tests can kill them.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so and end"
)]

pub mod cases;
pub mod client;
pub mod faulty;
pub mod spy;
