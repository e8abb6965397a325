//! A pause: for a while, policy is only watched.
//!
//! A person who must find out what a policy would break, or get work done while it is mended, has calls run
//! that it would refuse or ask about; each record says what would have been decided. A pause ends by itself
//! on the boot clock and with this process, and it softens nothing but policy: see [`decide`].
//!
//! [`decide`]: placet_engine::decide

use std::time::Duration;

use placet_engine::{decide, limits, permit::Durable, time::BootInstant};
use placet_store::{Store, StoreError};

use super::Gate;

/// A pause, and until when.
#[derive(Clone, Debug)]
pub struct Pause {
    /// When it ends, on the boot clock.
    pub until: BootInstant,
    /// Who began it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Why there is no pause.
#[derive(Debug)]
pub enum PauseError {
    /// It would last longer than [`limits::PAUSE_MAX`], or no time at all.
    Length,
    /// It could not be recorded.
    Store(StoreError),
}

impl std::fmt::Display for PauseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PauseError::Length => {
                write!(f, "a pause lasts from a second to {} minutes", limits::PAUSE_MAX.as_secs() / 60)
            }
            PauseError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PauseError {}

impl<S: Store> Gate<S> {
    /// Has policy only watched for this long. It is on record before it begins.
    ///
    /// # Errors
    ///
    /// [`PauseError`]; then policy is enforced as before.
    pub async fn pause(&self, length: Duration, by: &str, reason: &str) -> Result<(), PauseError> {
        if length < Duration::from_secs(1) || length > limits::PAUSE_MAX {
            return Err(PauseError::Length);
        }
        let now = self.clock.now();
        let changes = decide::pause(length, by, reason, now);
        self.store.commit::<Durable>(changes).await.map_err(PauseError::Store)?;
        let (by, reason) = (by.to_owned(), reason.to_owned());
        *self.paused.lock() = Some(Pause { until: now.boot.plus(length), by, reason });
        Ok(())
    }

    /// Has policy enforced again, at once. Permits given in the pause open nothing any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be recorded; it is enforced all the same.
    pub async fn end_pause(&self, by: &str, reason: &str) -> Result<(), StoreError> {
        *self.paused.lock() = None;
        self.store.commit::<Durable>(decide::end_pause(by, reason, self.clock.now())).await?;
        self.follow().await
    }

    /// The pause of this moment.
    pub fn paused(&self) -> Option<Pause> {
        let now = self.clock.now().boot;
        let mut paused = self.paused.lock();
        *paused = paused.take().filter(|pause| now < pause.until);
        paused.clone()
    }
}
