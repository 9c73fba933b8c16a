//! The simulated disk as a test sees it: plans its failures, inspects its files, opens what a crash leaves.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex};

use super::{
    content::{Content, SECTOR_BYTES},
    fault::{Aftermath, Fault, Planned, SimOp},
    state::State,
    trace::SimCounts,
    tree::{Folder, Node, Tree},
};
use crate::FileSystem;

/// What may be found in place of a file. Links are never followed, so this one has no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// A symbolic link.
    Link,
    /// A queue: a careless opening of it waits for ever.
    Fifo,
    /// An empty folder.
    Folder,
}

impl Stranger {
    fn node(self) -> Node {
        match self {
            Self::Link => Node::Other("a symbolic link"),
            Self::Fifo => Node::Other("a FIFO"),
            Self::Folder => Node::Folder(Folder::default()),
        }
    }
}

/// A file system in memory; clones share the same disk. Relative paths begin at its root, which always exists.
///
/// *Operations* are the calls that may change the disk: each kind of [`SimOp`] but `Read`, `Open` and `List`.
#[derive(Clone)]
pub struct SimDisk {
    pub(super) state: Arc<Mutex<State>>,
    /// Notified when a hold on flushes changes.
    pub(super) changed: Arc<Condvar>,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("SimDisk")
            .field("operations", &state.operations)
            .field("cut", &state.cut)
            .finish_non_exhaustive()
    }
}

impl SimDisk {
    /// An empty disk. All randomness follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::of(State::new(seed, Tree::new()))
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::default() }
    }

    /// Fails the `nth` call of that kind from now on (1: the next one), once.
    pub fn fail_nth(&self, op: SimOp, nth: u64, fault: Fault) {
        self.fail_nth_named("", op, nth, fault);
    }

    /// As `fail_nth`, counting only calls on files (for `rename` the old name; for `sync_dir` and `read_dir` the folder)
    /// whose last name begins with `name_prefix`.
    pub fn fail_nth_named(&self, name_prefix: &str, op: SimOp, nth: u64, fault: Fault) {
        self.plan(name_prefix, op, nth, fault, false, Aftermath::default());
    }

    /// As `fail_nth_named`, and also fails every such call after it, until `clear_faults`.
    pub fn fail_from(&self, name_prefix: &str, op: SimOp, nth: u64, fault: Fault) {
        self.plan(name_prefix, op, nth, fault, true, Aftermath::default());
    }

    /// As `fail_nth`, followed by `aftermath` before the engine can react.
    pub fn fail_nth_and_more(&self, op: SimOp, nth: u64, fault: Fault, aftermath: Aftermath) {
        self.plan("", op, nth, fault, false, aftermath);
    }

    fn plan(&self, name_prefix: &str, op: SimOp, nth: u64, fault: Fault, lasting: bool, aftermath: Aftermath) {
        let name_prefix = name_prefix.to_owned();
        self.state.lock().faults.plan(Planned { op, name_prefix, countdown: nth, fault, lasting, aftermath });
    }

    /// Cancels every planned failure. What a failed flush has lost stays lost.
    pub fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// Cuts the power in the middle of the operation that follows the next `operations` ones (0: in the next one). That
    /// operation happens in full, in part, or not at all; it and every later call, reads too, fail with "power cut".
    pub fn cut_after(&self, operations: u64) {
        let mut state = self.state.lock();
        state.cut_at = Some(state.operations.saturating_add(operations));
    }

    /// Cuts the power now, between two operations: every later call, reads too, fails with "power cut".
    pub fn cut_now(&self) {
        self.state.lock().cut = true;
    }

    /// Whether the power is gone.
    pub fn is_cut(&self) -> bool {
        self.state.lock().cut
    }

    /// How many operations were begun on this disk, failed ones included; not the one that the power cut hit.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// A hash over every call so far with its path, offset, length and bytes, in order.
    pub fn trace_hash(&self) -> u64 {
        self.state.lock().trace.hash
    }

    /// Starts to record calls as text, for a person who replays a seed.
    pub fn record_trace(&self) {
        self.state.lock().trace.lines.get_or_insert_default();
    }

    /// The calls since `record_trace`.
    pub fn trace(&self) -> Vec<String> {
        self.state.lock().trace.lines.clone().unwrap_or_default()
    }

    /// The disk as found after a power cut at this moment: all that was flushed, and some of the rest, chosen by the seed (see
    /// `sim/power_cut.rs`). No locks, no planned failures, counters at zero. This disk is not changed.
    #[must_use]
    pub fn power_cut(&self) -> Self {
        let state = self.state.lock();
        Self::of(state.after_power_cut(state.next_seed()))
    }

    /// As `power_cut`, with different choices for each `seed`: many outcomes of one moment.
    #[must_use]
    pub fn power_cut_seeded(&self, seed: u64) -> Self {
        Self::of(self.state.lock().after_power_cut(seed))
    }

    /// The disk as found after the process was killed at this moment: everything written exists, flushed or unflushed as
    /// before. No locks, no planned failures, counters at zero. This disk is not changed.
    #[must_use]
    pub fn crash(&self) -> Self {
        let state = self.state.lock();
        Self::of(state.after_crash(state.next_seed()))
    }

    /// Bounds the sum of all files' lengths (holes count); writes beyond it are short, then fail with `NoSpace`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Whether the capacity is bounded.
    pub fn has_capacity(&self) -> bool {
        self.state.lock().capacity.is_some()
    }

    /// From now on every folder claims to be on this file system.
    pub fn set_file_system(&self, file_system: FileSystem) {
        self.state.lock().file_system = file_system;
    }

    /// The part of the capacity that all files take.
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().tree.used_bytes()
    }

    /// Flips the bits `mask` of one byte, on the device and in the page cache; `false` if there is no such byte.
    pub fn flip(&self, path: impl AsRef<Path>, byte_offset: u64, mask: u8) -> bool {
        let mut state = self.state.lock();
        let id = state.tree.resolve(path.as_ref());
        let Some(inode) = id.and_then(|id| state.tree.file_mut(id)) else { return false };
        if byte_offset >= inode.now.len() {
            return false;
        }
        for content in [&mut inode.now, &mut inode.durable] {
            let (sector, within) = (byte_offset / SECTOR_BYTES as u64, byte_offset % SECTOR_BYTES as u64);
            if byte_offset < content.len() {
                let mut bytes = content.sector(sector);
                if let Some(byte) = usize::try_from(within).ok().and_then(|within| bytes.get_mut(within)) {
                    *byte ^= mask;
                }
                content.put_sector(sector, &bytes);
            }
        }
        true
    }

    /// The bytes of a file as a read would return them; works without power too.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let content = &state.tree.file(state.tree.resolve(path.as_ref())?)?.now;
        let mut bytes = vec![0; usize::try_from(content.len()).ok()?];
        content.read(&mut bytes, 0);
        Some(bytes)
    }

    /// Creates a file, durable with its name and folders: counts as no operation and never fails.
    ///
    /// # Panics
    /// When the path is the root, leads through a file, or names a folder.
    pub fn write_file(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let mut content = Content::default();
        content.write(bytes, 0);
        let done = self.state.lock().tree.put_durable(path.as_ref(), content);
        assert!(done.is_some(), "no file can be put at {}", path.as_ref().display());
    }

    /// Puts something that is no file in place of what is at `path`, whose folder exists: durable, counts as no operation and never fails.
    ///
    /// # Panics
    /// When the folder is missing.
    pub fn put_stranger(&self, path: impl AsRef<Path>, stranger: Stranger) {
        let done = self.state.lock().tree.put_node(path.as_ref(), stranger.node());
        assert!(done.is_some(), "nothing can be put at {}", path.as_ref().display());
    }

    /// Every file (and every stranger except folders) with its absolute path, sorted.
    pub fn list(&self) -> Vec<PathBuf> {
        self.state.lock().tree.list()
    }

    /// The calls on this disk since it was made.
    pub fn counts(&self) -> SimCounts {
        self.state.lock().trace.counts
    }

    /// `sync_data` calls on files that were opened under a name beginning with `name_prefix`.
    pub fn syncs_of(&self, name_prefix: &str) -> u64 {
        let state = self.state.lock();
        let names = state.trace.syncs_by_name.iter();
        names.filter(|(name, _)| name.as_encoded_bytes().starts_with(name_prefix.as_bytes())).map(|(_, n)| n).sum()
    }
}
