//! The queue: what waits for the writer, in order.
//!
//! Its own and not a channel, because of one thing: a job for which nobody waits does not set the writer to work
//! at once. It is held for a moment, in which somebody may come who waits, and is then written with that one's
//! changes, in one transaction and with one flush. So the outcome of a call is not in the way of its caller's next
//! call, and a run of free reads wakes the writer once in a while and not once for each.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::writer::Job;

/// Jobs that are taken at once.
const GROUP: usize = 1_024;

/// How long what nobody waits for is held for somebody who does. Whoever calls at once after an answer comes sooner;
/// and what is held is in this process alone, so a process that is killed in that time loses it.
const HOLD: Duration = Duration::from_micros(200);

/// What waits for the writer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: VecDeque<Job>,
    /// Whether one of them is not to be held.
    urgent: bool,
    /// Nothing comes any more: the store closes, or its writer is gone.
    closed: bool,
}

/// What there is to do.
#[derive(Debug)]
pub(super) enum Taken {
    /// These, in this order.
    Jobs(Vec<Job>),
    /// Nothing came for as long as was asked.
    Nothing,
    /// Nothing will come.
    Closed,
}

impl Queue {
    /// Queues a job. Whether there is anybody to do it.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut inner = self.inner.lock();
        if inner.closed {
            return false;
        }
        let urgent = job.is_urgent();
        inner.urgent |= urgent;
        inner.jobs.push_back(job);
        // The first begins the time for which jobs are held.
        let wakes = urgent || inner.jobs.len() == 1 || inner.jobs.len() == GROUP;
        drop(inner);
        if wakes {
            self.woken.notify_one();
        }
        true
    }

    /// Takes nothing more. What is queued is still to be done, if there is somebody.
    pub(super) fn close(&self) {
        self.inner.lock().closed = true;
        self.woken.notify_one();
    }

    /// Lets go of everything: there is nobody to do it. Whoever waits for it learns so.
    pub(super) fn abandon(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.jobs.clear();
    }

    /// What there is to do, or nothing after `pause`; without one, it waits until there is.
    pub(super) fn take(&self, pause: Option<Duration>) -> Taken {
        let mut inner = self.inner.lock();
        let until = pause.map(|pause| Instant::now() + pause);
        while inner.jobs.is_empty() {
            if inner.closed {
                return Taken::Closed;
            }
            match until {
                Some(until) if self.woken.wait_until(&mut inner, until).timed_out() => {
                    if inner.jobs.is_empty() && !inner.closed {
                        return Taken::Nothing;
                    }
                }
                Some(_) => {}
                None => self.woken.wait(&mut inner),
            }
        }
        let until = Instant::now() + HOLD;
        while !inner.urgent && !inner.closed && inner.jobs.len() < GROUP {
            if self.woken.wait_until(&mut inner, until).timed_out() {
                break;
            }
        }
        let count = inner.jobs.len().min(GROUP);
        let jobs = inner.jobs.drain(..count).collect();
        // What is left has been held long enough.
        inner.urgent = !inner.jobs.is_empty();
        Taken::Jobs(jobs)
    }
}

#[cfg(test)]
mod tests {
    use placet_engine::state::Changes;
    use tokio::sync::oneshot;

    use super::{
        super::{
            payload::Sealed,
            writer::{Job, Write},
        },
        *,
    };

    fn job(done: Option<oneshot::Sender<Result<(), String>>>) -> Job {
        Job::Write(Box::new(Write {
            changes: Changes::default(),
            sealed: Sealed::default(),
            session: None,
            lines: Vec::new(),
            done,
        }))
    }

    fn count(taken: Taken) -> usize {
        match taken {
            Taken::Jobs(jobs) => jobs.len(),
            Taken::Nothing | Taken::Closed => 0,
        }
    }

    #[test]
    fn what_nobody_waits_for_is_taken_with_what_somebody_does() {
        let queue = Queue::default();
        assert!(queue.push(job(None)) && queue.push(job(None)));
        let (done, _written) = oneshot::channel();
        assert!(queue.push(job(Some(done))));
        assert_eq!(count(queue.take(None)), 3);
    }

    #[test]
    fn what_nobody_waits_for_is_held_for_a_moment_and_no_longer() {
        let queue = Queue::default();
        assert!(queue.push(job(None)));
        let begun = Instant::now();
        assert_eq!(count(queue.take(None)), 1);
        assert!(begun.elapsed() >= HOLD);
        assert!(matches!(queue.take(Some(HOLD)), Taken::Nothing));
    }

    #[test]
    fn no_more_than_a_group_is_taken_and_the_rest_is_not_held_again() {
        let queue = Queue::default();
        (0..GROUP + 2).for_each(|_| assert!(queue.push(job(None))));
        assert_eq!(count(queue.take(None)), GROUP);
        assert_eq!(count(queue.take(None)), 2);
    }

    #[test]
    fn whoever_waits_for_what_is_abandoned_learns_so() {
        let queue = Queue::default();
        let (done, mut written) = oneshot::channel();
        assert!(queue.push(job(Some(done))));
        queue.abandon();
        assert!(matches!(written.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(!queue.push(job(None)), "and nothing more is taken");
    }

    #[test]
    fn what_was_queued_before_it_closed_is_still_done_and_nothing_after() {
        let queue = Queue::default();
        assert!(queue.push(job(None)));
        queue.close();
        assert!(!queue.push(job(None)));
        assert_eq!(count(queue.take(None)), 1);
        assert!(matches!(queue.take(None), Taken::Closed));
    }
}
