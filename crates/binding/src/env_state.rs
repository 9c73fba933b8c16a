//! All that one JavaScript environment holds: its stores, snapshots and cursors by id, the error or the value that waits to be
//! taken, its completion. Lives on the environment's thread, from `hotCalls` to the environment's cleanup hook.

#![allow(unsafe_code, reason = "the environment's instance data and its cleanup hook")]

use std::{
    cell::{Cell, RefCell},
    ffi::c_void,
    ptr,
    rc::Rc,
    sync::Arc,
};

use ledgerstone_canonical_store::{KeyBatch, Owner, StoreHandle};
use ledgerstone_event_log::OwnedLog;
use ledgerstone_lock_manager::LockManager;
use napi::{Env, sys};

use crate::{
    binding_error::{ErrorRecord, Failure},
    binding_verification::{RunningVerification, Verified},
    call_memory::CallMemory,
    completion::Completion,
    counters::Counters,
    fast_path::contain,
    lock_entry::LockEntry,
    observation::NativeHappenings,
    reader::{Cursor, Reader},
    slab::{Handle, Slab},
    store_entry::StoreEntry,
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
    /// Who locks here: for a store, or for a lock manager of its own.
    locks: RefCell<Slab<LockEntry>>,
    /// Event logs on their own.
    logs: RefCell<Slab<Arc<OwnedLog>>>,
    pub(crate) snapshot_sets: crate::binding_snapshot_set::OpenSets,
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
    /// Makes the state of `env`; once.
    ///
    /// # Safety
    ///
    /// On the thread of `env`, with `on_wake` a live value of it.
    pub(crate) unsafe fn install(env: sys::napi_env, on_wake: sys::napi_value) -> Result<*const Self, Failure> {
        // SAFETY: on the environment's thread.
        if unsafe { Self::of(env) }.is_some() {
            return Err(ErrorRecord::invalid("onWake", "the hot calls of this environment exist already"));
        }
        // SAFETY: the caller's promise.
        let completion = unsafe { Completion::new(env, on_wake) }?;
        let state = Box::into_raw(Box::new(Self {
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
            locks: RefCell::new(Slab::new()),
            logs: RefCell::new(Slab::new()),
            snapshot_sets: crate::binding_snapshot_set::OpenSets::new(),
            closing: RefCell::new(Vec::new()),
            completion: Arc::new(completion),
            env,
            referenced: Cell::new(false),
            loop_ends: Cell::new(false),
        }));
        // SAFETY: the hook is added after the threadsafe function was made, so it runs before that is closed (last in, first
        // out), and it is the only one to free the state.
        let statuses = unsafe {
            [
                sys::napi_set_instance_data(env, state.cast(), None, ptr::null_mut()),
                sys::napi_add_env_cleanup_hook(env, Some(end), state.cast()),
            ]
        };
        if statuses != [sys::Status::napi_ok; 2] {
            // SAFETY: the hook was not added; the state is forgotten, not freed, because instance data may name it.
            unsafe { sys::napi_set_instance_data(env, ptr::null_mut(), None, ptr::null_mut()) };
            return Err(ErrorRecord::closed("the environment"));
        }
        Ok(state)
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

    /// Takes in an opened store.
    pub(crate) fn adopt(&self, handle: Arc<StoreHandle>) -> Result<Handle, Failure> {
        let cache = handle.new_read_cache();
        let entry = Rc::new(StoreEntry::new(handle, Arc::clone(&self.completion)));
        let added = self.add_reader(Reader::Store { entry: Rc::clone(&entry), cache });
        if added.is_err() {
            entry.detach();
        }
        added
    }

    pub(crate) fn add_reader(&self, reader: Reader) -> Result<Handle, Failure> {
        self.readers.borrow_mut().insert(reader).ok_or_else(|| too_many("too many readers are open"))
    }

    pub(crate) fn add_cursor(&self, cursor: Cursor) -> Result<Handle, Failure> {
        self.cursors.borrow_mut().insert(cursor).ok_or_else(|| too_many("too many ranges are open"))
    }

    /// Takes in somebody who locks, until [`drop_locks`](Self::drop_locks) or the end of `store`.
    pub(crate) fn add_locks(&self, manager: &Arc<LockManager>, store: Option<Handle>) -> Result<Handle, Failure> {
        let entry = LockEntry::new(manager, Arc::clone(&self.completion), store);
        self.locks.borrow_mut().insert(entry).ok_or_else(|| too_many("too many lock managers are open"))
    }

    /// `None` when it has ended.
    pub(crate) fn with_locks<R>(&self, id: Handle, work: impl FnOnce(&LockEntry) -> R) -> Option<R> {
        self.locks.borrow().get(id).map(work)
    }

    /// All that it holds is given back, and nothing is waited for any more. Harmless twice.
    pub(crate) fn drop_locks(&self, id: Handle) {
        let entry = self.locks.borrow_mut().remove(id);
        drop(entry);
    }

    /// Takes in an opened event log, until [`take_log`](Self::take_log).
    pub(crate) fn add_log(&self, log: Arc<OwnedLog>) -> Result<Handle, Failure> {
        self.logs.borrow_mut().insert(log).ok_or_else(|| too_many("too many event logs are open"))
    }

    pub(crate) fn log(&self, id: Handle) -> Result<Arc<OwnedLog>, Failure> {
        self.logs.borrow().get(id).map(Arc::clone).ok_or_else(|| ErrorRecord::closed("the event log"))
    }

    /// Ends all use of an event log, which is to be closed off this thread.
    pub(crate) fn take_log(&self, id: Handle) -> Result<Arc<OwnedLog>, Failure> {
        let log = self.logs.borrow_mut().remove(id).ok_or_else(|| ErrorRecord::closed("the event log"))?;
        let verified = self.verifications.borrow_mut().remove_where(|running| running.of == Verified::Log(id));
        drop(verified);
        Ok(log)
    }

    #[inline]
    pub(crate) fn with_reader<R>(
        &self,
        id: Handle,
        work: impl FnOnce(&Reader) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        work(self.readers.borrow().get(id).ok_or_else(|| ErrorRecord::closed("the reader"))?)
    }

    /// An open store; a snapshot's id is none.
    pub(crate) fn with_store<R>(
        &self,
        id: Handle,
        work: impl FnOnce(&Rc<StoreEntry>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        match self.readers.borrow().get(id) {
            Some(Reader::Store { entry, .. }) => work(entry),
            _ => Err(ErrorRecord::closed("the store")),
        }
    }

    /// The handle of an open store, for work off this thread.
    pub(crate) fn store_handle(&self, id: Handle) -> Result<Arc<StoreHandle>, Failure> {
        self.with_store(id, |entry| Ok(Arc::clone(entry.handle())))
    }

    /// An open store, or one that is closing.
    pub(crate) fn with_waiting_store<R>(
        &self,
        id: Handle,
        work: impl FnOnce(&Rc<StoreEntry>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        if let Some((_, entry)) = self.closing.borrow().iter().find(|(closing, _)| *closing == id) {
            return work(entry);
        }
        self.with_store(id, work)
    }

    /// The same, when it is known.
    pub(crate) fn waiting_store(&self, id: Handle) -> Option<Rc<StoreEntry>> {
        self.with_waiting_store(id, |entry| Ok(Rc::clone(entry))).ok()
    }

    pub(crate) fn add_verification(&self, running: RunningVerification) -> Result<Handle, Failure> {
        self.verifications.borrow_mut().insert(running).ok_or_else(|| too_many("too many verifications are running"))
    }

    /// One that runs; those of a store end when it begins to close.
    pub(crate) fn with_verification<R>(
        &self,
        id: Handle,
        look: impl FnOnce(&RunningVerification) -> R,
    ) -> Result<R, Failure> {
        self.verifications.borrow().get(id).map(look).ok_or_else(|| ErrorRecord::closed("the store"))
    }

    pub(crate) fn end_verification(&self, id: Handle) {
        self.verifications.borrow_mut().remove(id);
    }

    /// Releases a snapshot with its cursors; a stale id and a store's id are left alone.
    pub(crate) fn release_snapshot(&self, id: Handle) {
        if matches!(self.readers.borrow().get(id), Some(Reader::Snapshot { .. })) {
            self.drop_reader(id);
        }
    }

    fn drop_reader(&self, id: Handle) {
        self.cursors.borrow_mut().remove_where(|cursor| cursor.reader == id);
        let reader = self.readers.borrow_mut().remove(id);
        if let Some(reader) = reader {
            reader.release();
        }
    }

    /// Ends all use of a store but the waiting, and returns the handle that is to be closed off this thread.
    pub(crate) fn begin_close(&self, id: Handle) -> Result<Arc<StoreHandle>, Failure> {
        let entry = self.with_store(id, |entry| Ok(Rc::clone(entry)))?;
        entry.let_others_in(self.owner);
        self.verifications.borrow_mut().remove_where(|running| running.of == Verified::Store(id));
        let its_readers: Vec<_> = self
            .readers
            .borrow()
            .iter()
            .filter(|(_, reader)| Rc::ptr_eq(reader.entry(), &entry))
            .map(|(id, _)| id)
            .collect();
        for reader in its_readers {
            self.drop_reader(reader);
        }
        let its_locks = self.locks.borrow_mut().remove_where(|locks| locks.store == Some(id));
        drop(its_locks);
        let handle = Arc::clone(entry.handle());
        self.closing.borrow_mut().push((id, entry));
        Ok(handle)
    }

    /// The handle has been closed: nothing more will be told but what was observed to the end.
    pub(crate) fn finish_close(&self, id: Handle) -> NativeHappenings {
        let mut last = NativeHappenings::default();
        let mut closing = self.closing.borrow_mut();
        closing.retain(|(closed, entry)| {
            if *closed == id {
                entry.detach();
                last = entry.take_happenings();
            }
            *closed != id
        });
        drop(closing);
        self.settle_keep_alive();
        last
    }

    /// The event loop is about to end, or goes on. While it is about to end it is held for each commit that is not yet durable.
    pub(crate) fn loop_ends(&self, ends: bool) {
        self.loop_ends.set(ends);
        if ends {
            for entry in self.entries() {
                entry.hold_loop();
            }
            self.settle_keep_alive();
        }
    }

    /// A commit was made here.
    pub(crate) fn committed(&self, entry: &StoreEntry) {
        if self.loop_ends.get() {
            entry.hold_loop();
            self.settle_keep_alive();
        }
    }

    /// Keeps the event loop alive as long as anything of this environment is under way, and no longer.
    pub(crate) fn settle_keep_alive(&self) {
        let mut busy = false;
        for entry in self.entries() {
            busy |= entry.keeps_alive();
        }
        self.set_reference(busy);
    }

    fn set_reference(&self, referenced: bool) {
        if self.referenced.replace(referenced) != referenced {
            // SAFETY: the state does not leave the thread of its environment, and is freed before that ends.
            unsafe { self.completion.set_reference(self.env, referenced) };
        }
    }

    /// Every open store of this environment hands what is applied to the operating system.
    pub(crate) fn hand_over(&self) {
        for entry in self.entries() {
            entry.handle().hand_over();
        }
    }

    fn entries(&self) -> Vec<Rc<StoreEntry>> {
        let readers = self.readers.borrow();
        let open = readers.iter().filter_map(|(_, reader)| match reader {
            Reader::Store { entry, .. } => Some(Rc::clone(entry)),
            Reader::Snapshot { .. } => None,
        });
        open.chain(self.closing.borrow().iter().map(|(_, entry)| Rc::clone(entry))).collect()
    }

    /// The order matters: first nothing calls in any more; then what others wait for goes back; then the stores close.
    fn end(&self) {
        self.completion.detach();
        let entries = self.entries();
        for entry in &entries {
            entry.detach();
            entry.let_others_in(self.owner);
        }
        let locks = self.locks.borrow_mut().remove_where(|_| true);
        drop(locks);
        self.cursors.borrow_mut().remove_where(|_| true);
        self.verifications.borrow_mut().remove_where(|_| true);
        for reader in self.readers.borrow_mut().remove_where(|_| true) {
            reader.release();
        }
        for log in self.logs.borrow_mut().remove_where(|_| true) {
            // Nobody is left to hear of a failure: what was appended is at its durability already.
            let _ = log.close();
        }
        self.snapshot_sets.close();
        self.closing.borrow_mut().clear();
        for entry in entries {
            // Nobody is left to hear of a failure; what was not stored is found at the next open.
            let _ = entry.handle().close();
        }
    }
}

#[allow(clippy::unnecessary_box_returns, reason = "a failure")]
fn too_many(what: &str) -> Failure {
    const MAX: u64 = 1 << 20;
    ErrorRecord::limit(what, "readers", MAX + 1, MAX)
}

/// The environment's cleanup hook.
unsafe extern "C" fn end(data: *mut c_void) {
    contain(|| {
        // SAFETY: `install` gave the state to this hook alone, which runs once.
        let state = unsafe { Box::from_raw(data.cast::<EnvState>()) };
        // SAFETY: the environment lives until its hooks have run. What completes later finds no state.
        unsafe { sys::napi_set_instance_data(state.env, ptr::null_mut(), None, ptr::null_mut()) };
        state.end();
    });
}
