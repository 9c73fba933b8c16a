//! All that one JavaScript environment holds: its stores, snapshots and cursors by id, the error or the value that waits to be
//! taken, its completion. It lives on the environment's thread, from `hotCalls` to the environment's cleanup hook. Each of the other
//! files here adds the methods for one noun; a bound object that is new gets a table here and a file.

#![allow(unsafe_code, reason = "the environment's instance data and its cleanup hook")]

mod backups;
mod closing;
mod keep_alive;
mod locks;
mod logs;
mod readers;
mod snapshot_sets;
mod verifications;

use std::{
    cell::{Cell, RefCell},
    ptr,
    rc::Rc,
    sync::Arc,
};

use ledgerstone_canonical_store::{KeyBatch, Owner};
use ledgerstone_snapshot_set::FileSnapshotSet;
use napi::{Env, sys};

use crate::{
    environment::{
        backup_entry::BackupEntry,
        call_memory::CallMemory,
        completion::Completion,
        counters::Counters,
        lock_entry::LockEntry,
        log_syncs::LogEntry,
        reader::{Cursor, Reader},
        slab::{Handle, Slab},
        store::StoreEntry,
        verification::RunningVerification,
    },
    error::{ErrorRecord, Failure},
};

pub(crate) struct EnvState {
    pub(crate) owner: Owner,
    pub(crate) counters: Counters,
    /// The key of the running call.
    pub(crate) key: RefCell<Box<[u8]>>,
    /// The arguments of a hot read, and its answer.
    pub(crate) call: Arc<CallMemory>,
    /// The keys of the running call that are looked up together.
    pub(crate) keys: RefCell<KeyBatch>,
    /// The text of the running call.
    pub(crate) text: RefCell<Vec<u8>>,
    /// The error record that `takeError` takes.
    pub(crate) error: RefCell<Option<Failure>>,
    /// The value that was too big for its pool, until `takeValue`.
    pub(crate) value: RefCell<Option<Vec<u8>>>,
    pub(crate) cursors: RefCell<Slab<Cursor>>,
    readers: RefCell<Slab<Reader>>,
    verifications: RefCell<Slab<RunningVerification>>,
    backups: RefCell<Slab<BackupEntry>>,
    /// Lock clients: of a store's locks, or of a lock manager outside of a store.
    locks: RefCell<Slab<LockEntry>>,
    /// Event logs outside of a store.
    logs: RefCell<Slab<LogEntry>>,
    snapshot_sets: RefCell<Slab<Arc<FileSnapshotSet>>>,
    /// Stores whose close is under way: nothing is read or written any more, but waiters are still served.
    closing: RefCell<Vec<(Handle, Rc<StoreEntry>)>>,
    completion: Arc<Completion>,
    env: sys::napi_env,
    /// Whether the completion keeps the event loop alive.
    referenced: Cell<bool>,
    /// The event loop is about to end unless something holds it.
    loop_ends: Cell<bool>,
}

impl EnvState {
    pub(crate) fn new(env: sys::napi_env, completion: Completion) -> Self {
        Self {
            owner: Owner::new(),
            counters: Counters::default(),
            key: RefCell::new(vec![0; CallMemory::KEY_BYTES].into_boxed_slice()),
            call: CallMemory::new(),
            keys: RefCell::default(),
            text: RefCell::new(Vec::new()),
            error: RefCell::new(None),
            value: RefCell::new(None),
            cursors: RefCell::new(Slab::new()),
            readers: RefCell::new(Slab::new()),
            verifications: RefCell::new(Slab::new()),
            backups: RefCell::new(Slab::new()),
            locks: RefCell::new(Slab::new()),
            logs: RefCell::new(Slab::new()),
            snapshot_sets: RefCell::new(Slab::new()),
            closing: RefCell::new(Vec::new()),
            completion: Arc::new(completion),
            env,
            referenced: Cell::new(false),
            loop_ends: Cell::new(false),
        }
    }

    /// The state of `env`, if it has one: not before `hotCalls`, not after its cleanup hook.
    ///
    /// # Safety
    ///
    /// On the thread of `env`. The reference must not be kept beyond the call into native code that asked for it.
    pub(crate) unsafe fn of<'call>(env: sys::napi_env) -> Option<&'call Self> {
        let mut data = ptr::null_mut();
        // SAFETY: live environment; the result is ours.
        let status = unsafe { sys::napi_get_instance_data(env, &raw mut data) };
        // SAFETY: only `install` sets it, and the hook that frees the state clears it.
        if status == sys::Status::napi_ok { unsafe { data.cast::<Self>().as_ref() } } else { None }
    }

    /// The same, for generated functions, which run on the thread of their environment.
    pub(crate) fn of_env(env: &Env) -> Option<&Self> {
        // SAFETY: an `Env` exists on its thread only, within the running call.
        unsafe { Self::of(env.raw()) }
    }

    pub(crate) fn completion(&self) -> &Completion {
        &self.completion
    }

    pub(crate) fn env(&self) -> sys::napi_env {
        self.env
    }
}

/// Runs `work` on the state of `env`; a failure is thrown.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "called with the reference that a generated function has")]
pub(crate) fn on_state<R>(env: &Env, work: impl FnOnce(&EnvState) -> Result<R, Failure>) -> napi::Result<R> {
    let missing = || ErrorRecord::invalid("onWake", "the hot calls of this environment are made first").thrown();
    work(EnvState::of_env(env).ok_or_else(missing)?).map_err(|failure| failure.thrown())
}

#[allow(clippy::unnecessary_box_returns, reason = "a failure")]
fn too_many(what: &str) -> Failure {
    const MAX: u64 = 1 << 20;
    ErrorRecord::limit(what, "readers", MAX + 1, MAX)
}
