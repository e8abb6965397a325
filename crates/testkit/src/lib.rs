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

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

pub mod cases;
pub mod client;
pub mod crashing;
pub mod faulty;
pub mod spy;

/// The output of a future that waits for nothing, as those of a store in memory are.
///
/// # Panics
///
/// If it waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("this waits for something"),
    }
}
