//! A backup or a restore under way, as those see it who wait for it: how far it has come, and a way to end it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use ledgerstone_vfs::FileError;

use crate::Error;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobPhase {
    /// Nothing yet.
    Begun,
    /// A backup is written.
    Copying,
    /// It is flushed, read once more and published.
    Publishing,
    /// A backup is read and checked.
    Verifying,
    /// A store is made from it.
    Building,
}

const PHASES: [JobPhase; 5] =
    [JobPhase::Begun, JobPhase::Copying, JobPhase::Publishing, JobPhase::Verifying, JobPhase::Building];

impl JobPhase {
    /// Its name in JavaScript.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Copying => "copying",
            Self::Publishing => "publishing",
            Self::Verifying => "verifying",
            Self::Building => "building",
        }
    }
}

/// See the module. Any thread may look or cancel.
#[derive(Debug, Default)]
pub struct BackupJob {
    cancelled: AtomicBool,
    phase: AtomicU8,
    done_bytes: AtomicU64,
    total_bytes: AtomicU64,
}

impl BackupJob {
    /// Nobody wants the outcome any more: it ends at the next block, and leaves nothing behind, unless it is as good as done.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// The phase; how many bytes of it are done, and of how many as far as is known.
    pub fn progress(&self) -> (JobPhase, u64, u64) {
        let phase = PHASES.get(usize::from(self.phase.load(Ordering::Acquire))).copied().unwrap_or(JobPhase::Begun);
        let done = self.done_bytes.load(Ordering::Relaxed);
        (phase, done, self.total_bytes.load(Ordering::Relaxed).max(done))
    }

    pub(super) fn begin(&self, phase: JobPhase, total_bytes: u64) {
        self.done_bytes.store(0, Ordering::Relaxed);
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        let place = PHASES.iter().position(|known| *known == phase).and_then(|place| u8::try_from(place).ok());
        self.phase.store(place.unwrap_or_default(), Ordering::Release);
    }

    /// So many bytes more are done.
    ///
    /// # Errors
    /// [`Halt::Cancelled`].
    pub(super) fn advance(&self, bytes: u64) -> Step<()> {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.check()
    }

    /// The phase is over.
    pub(super) fn finish(&self) {
        self.done_bytes.fetch_max(self.total_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(super) fn check(&self) -> Step<()> {
        if self.cancelled.load(Ordering::Acquire) { Err(Halt::Cancelled) } else { Ok(()) }
    }
}

/// Why a job came to no end.
#[derive(Clone, Debug)]
pub(super) enum Halt {
    Cancelled,
    Failed(Error),
}

pub(super) type Step<T> = std::result::Result<T, Halt>;

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// `None`: it was cancelled.
pub(super) fn outcome<T>(step: Step<T>) -> crate::Result<Option<T>> {
    match step {
        Ok(done) => Ok(Some(done)),
        Err(Halt::Cancelled) => Ok(None),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// No memory for what a backup is made of.
pub(super) fn no_memory(syscall: &'static str, path: &std::path::Path) -> Halt {
    FileError::no_memory(syscall, path).into()
}
