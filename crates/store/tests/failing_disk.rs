//! A disk that fails: a commit whose flush or writing gives an error is refused, and nothing that was acknowledged
//! is lost.
//!
//! No file system at hand fails on demand. So this program puts calls of its own before the system's `fsync`,
//! `fdatasync` and `pwrite`, which all code in it goes through, SQLite's too. They do what they are for, unless a
//! test has said that a file is to fail; then they answer with an error and do nothing.

#![cfg(target_os = "linux")]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

#[expect(dead_code, reason = "the contract suite uses the rest of it")]
mod changes;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use changes::{account, asking_for, at, balance, go_on, halt_all, holding, note, settled};
use placet_engine::{
    permit::{Durable, Queued},
    record::{Kind, Record},
    state::{Changes, Ending, Needs, Open},
};
use placet_store::{
    Store as _, StoreError,
    sqlite::{Opened, Reader, Sqlite},
};

/// What fails, and for which files.
mod disk {
    #![expect(
        unsafe_code,
        reason = "the only way to stand before the system's calls without a file system of one's own"
    )]

    use std::{
        ffi::{c_int, c_long, c_void},
        path::PathBuf,
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };

    /// A call that fails.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Fails {
        Flush,
        Write,
    }

    static FAILING: Mutex<Vec<(PathBuf, Fails)>> = Mutex::new(Vec::new());
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    /// Makes calls on this file fail as long as the value lives.
    #[derive(Debug)]
    pub(super) struct Failing(PathBuf);

    impl Failing {
        pub(super) fn on(file: PathBuf, fails: Fails) -> Self {
            FAILING.lock().unwrap().push((file.clone(), fails));
            COUNT.fetch_add(1, Ordering::SeqCst);
            Self(file)
        }
    }

    impl Drop for Failing {
        fn drop(&mut self) {
            FAILING.lock().unwrap().retain(|(file, _)| *file != self.0);
            COUNT.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn fails(fd: c_int, how: Fails) -> bool {
        if COUNT.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let Ok(file) = std::fs::read_link(format!("/proc/self/fd/{fd}")) else { return false };
        let fails = FAILING.lock().unwrap().iter().any(|one| *one == (file.clone(), how));
        if fails {
            // SAFETY: it gives a pointer to this thread's own, which is always there.
            unsafe { *libc::__errno_location() = libc::EIO };
        }
        fails
    }

    /// Stands before the system's.
    #[unsafe(no_mangle)]
    pub(super) extern "C" fn fsync(fd: c_int) -> c_int {
        if fails(fd, Fails::Flush) {
            return -1;
        }
        // SAFETY: the same call, with the same argument.
        answer(unsafe { libc::syscall(libc::SYS_fsync, fd) })
    }

    /// Stands before the system's.
    #[unsafe(no_mangle)]
    pub(super) extern "C" fn fdatasync(fd: c_int) -> c_int {
        if fails(fd, Fails::Flush) {
            return -1;
        }
        // SAFETY: the same call, with the same argument.
        answer(unsafe { libc::syscall(libc::SYS_fdatasync, fd) })
    }

    /// Stands before the system's.
    ///
    /// # Safety
    ///
    /// As of the system's.
    #[unsafe(no_mangle)]
    pub(super) unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
        // SAFETY: the same call, with the same arguments.
        unsafe { pwrite64(fd, bytes, count, at) }
    }

    /// Stands before the system's.
    ///
    /// # Safety
    ///
    /// As of the system's.
    #[unsafe(no_mangle)]
    pub(super) unsafe extern "C" fn pwrite64(
        fd: c_int,
        bytes: *const c_void,
        count: usize,
        at: i64,
    ) -> isize {
        if fails(fd, Fails::Write) {
            return -1;
        }
        // SAFETY: the same call, with the same arguments, which the caller vouches for.
        let written = unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes, count, at) };
        isize::try_from(written).unwrap_or(-1)
    }

    fn answer(of_system: c_long) -> c_int {
        c_int::try_from(of_system).unwrap_or(-1)
    }
}

use disk::{Failing, Fails};

fn open(directory: &Path) -> Opened {
    Sqlite::open(directory).unwrap_or_else(|error| panic!("{error}"))
}

fn database(directory: &Path) -> PathBuf {
    directory.canonicalize().unwrap().join("placet.db")
}

fn log(directory: &Path) -> PathBuf {
    directory.canonicalize().unwrap().join("placet.db-wal")
}

/// The numbers of all notes, in their order on disk.
fn notes(directory: &Path) -> Vec<String> {
    let entries = Reader::open(directory).unwrap().after(0, 1_000_000).unwrap();
    let notes = entries.iter().filter(|entry| entry.body.contains("\"n\":"));
    notes
        .map(|entry| entry.body.split("\"n\":").nth(1).unwrap().split([',', '}']).next().unwrap().to_owned())
        .collect()
}

async fn keep(store: &Sqlite, changes: Changes) {
    store.commit::<Durable>(changes).await.unwrap();
}

fn refusal() -> Changes {
    Changes { records: vec![Record::new(Kind::Refusal, at(0), [])], ..Changes::default() }
}

#[tokio::test]
async fn a_commit_that_the_disk_fails_is_refused_and_nothing_acknowledged_is_lost() {
    for fails in [Fails::Flush, Fails::Write] {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        let calls = account("calls");
        let store = open(folder).store;
        keep(&store, note(1)).await;
        keep(&store, holding(10, &calls, 1, 100)).await;

        let failing = Failing::on(log(folder), fails);
        let refused = store.commit::<Durable>(holding(11, &calls, 1, 100)).await.map(drop);
        assert!(
            matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("disk I/O")),
            "{refused:?}"
        );
        let why = store.poisoned().unwrap();
        let refused = Err(StoreError::Unavailable(why));
        // Not tried again, not even while the disk is sound for a moment: what it then says proves nothing.
        drop(failing);
        assert_eq!(store.load(&Needs::default()).await.map(drop), refused, "{fails:?}");
        assert_eq!(store.commit::<Durable>(halt_all("ana", "look first", 0)).await.map(drop), refused);
        assert_eq!(store.commit::<Queued>(refusal()).await.map(drop), refused);

        // As long as it fails, it is not mended either; and that makes nothing worse.
        let failing = [Failing::on(log(folder), fails), Failing::on(database(folder), fails)];
        assert!(store.mend().await.is_err(), "{fails:?}");
        assert!(store.poisoned().is_some());
        drop(failing);

        let never_sent = store.mend().await.unwrap();
        assert!(never_sent.iter().all(|intent| intent.call == changes::id(11)), "{never_sent:?}");
        let held = 1 + u64::try_from(never_sent.len()).unwrap();
        assert_eq!(store.load(&asking_for(&calls, 0)).await.unwrap().balances, [balance(0, held)]);
        keep(&store, halt_all("ana", "look first", 1)).await;
        keep(&store, refusal()).await;
        keep(&store, note(2)).await;
        let intent = holding(10, &calls, 1, 100).intent.unwrap();
        keep(&store, settled(&intent, Open::Running, Ending::Succeeded, None)).await;
        drop(store);

        let Opened { store, left_open } = open(folder);
        assert_eq!(left_open.len(), never_sent.len());
        assert_eq!(notes(folder), ["1", "2"], "{fails:?}");
        assert!(store.load(&Needs::default()).await.unwrap().stop.is_some());
        assert_eq!(store.load(&asking_for(&calls, 0)).await.unwrap().balances, [balance(1, held - 1)]);
    }
}

#[tokio::test]
async fn what_was_queued_when_the_disk_failed_spoils_the_store_though_nobody_waits() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).store;
    keep(&store, note(1)).await;
    let failing = Failing::on(log(directory.path()), Fails::Flush);
    store.commit::<Queued>(note(2)).await.unwrap();
    // It is flushed within some 20 ms even if nobody asks for it.
    for _ in 0..500 {
        if store.poisoned().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(store.poisoned().is_some(), "what is not flushed is not taken for flushed");
    drop(failing);
    assert_eq!(store.mend().await, Ok(Vec::new()));
    keep(&store, note(3)).await;
    drop(store);
    let found = notes(directory.path());
    assert!(found == ["1", "3"] || found == ["1", "2", "3"], "{found:?}");
}

#[tokio::test]
async fn a_log_that_cannot_be_folded_back_spoils_the_store_and_is_still_there() {
    for fails in [Fails::Flush, Fails::Write] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).store;
        let failing = Failing::on(database(directory.path()), fails);
        let mut acknowledged = Vec::new();
        // In an idle moment the log is folded back, and that fails.
        for n in 1..=500 {
            if store.commit::<Durable>(note(n)).await.is_err() {
                break;
            }
            acknowledged.push(n.to_string());
            std::thread::sleep(Duration::from_millis(if n < 4 { 1 } else { 50 * (n - 3) }));
        }
        assert!(acknowledged.len() < 500 && store.poisoned().unwrap().contains("folding"), "{fails:?}");
        assert!(store.mend().await.is_err(), "{fails:?}");
        // Nor is it when the process ends: whoever opens it next finds it as it was left.
        drop(store);
        drop(failing);
        assert_eq!(notes(directory.path()), acknowledged, "{fails:?}");
        let Opened { store, .. } = open(directory.path());
        keep(&store, go_on("ana", "a new disk")).await;
    }
}
