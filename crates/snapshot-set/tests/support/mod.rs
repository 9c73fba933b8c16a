//! Shared by the tests: a set on a simulated disk, and a model that does not know how the set works.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(unreachable_pub, reason = "a module of each test")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_snapshot_set::{
    FileSnapshotSet, Ground, Prune, Purge, Result, SnapshotInfo, SnapshotSetOptions, SnapshotType,
};
use ledgerstone_vfs::{
    OpenHow, Vfs,
    sim::{SimClock, SimDisk},
};

pub use SnapshotType::{Diff, Full, Pending};

pub fn folder() -> &'static Path {
    Path::new("/backups/set")
}

pub fn ground(disk: &SimDisk) -> Ground {
    Ground { vfs: Arc::new(disk.clone()), clock: Arc::new(SimClock::new(5)) }
}

pub fn open(disk: &SimDisk) -> Result<FileSnapshotSet> {
    FileSnapshotSet::open(&ground(disk), folder(), SnapshotSetOptions::default())
}

/// The content of a shard of this snapshot, in whole sectors: appended bytes must not share one with flushed bytes.
pub fn content(ordinal: u64, shard: usize, version: usize) -> Vec<u8> {
    let mut bytes =
        format!("snapshot {ordinal} shard {shard} version {version}. ").into_bytes().repeat(20 + shard * 30);
    bytes.resize(bytes.len().next_multiple_of(512), b'.');
    bytes
}

pub fn write(disk: &SimDisk, path: &Path, bytes: &[u8], offset: u64, flushed: bool) -> ledgerstone_vfs::Result<()> {
    let file = disk.open(path, OpenHow::ReadWrite)?;
    file.write_all_at(bytes, offset)?;
    if flushed { file.sync_data() } else { Ok(()) }
}

/// Writes every shard of a snapshot, unflushed.
pub fn fill(disk: &SimDisk, info: &SnapshotInfo) {
    for (shard, path) in info.shard_paths.iter().enumerate() {
        write(disk, path, &content(info.ordinal, shard, 0), 0, false).unwrap();
    }
}

/// A pending snapshot that is filled and published.
pub fn full(disk: &SimDisk, set: &FileSnapshotSet, shards: u32) -> SnapshotInfo {
    let pending = set.create_or_get(Pending, shards, false).unwrap();
    fill(disk, &pending);
    set.publish(pending.ordinal, Purge::default()).unwrap()
}

pub fn ordinals(infos: &[SnapshotInfo]) -> Vec<u64> {
    infos.iter().map(|info| info.ordinal).collect()
}

pub fn listed(set: &FileSnapshotSet) -> Vec<(u64, SnapshotType)> {
    set.list().unwrap().snapshots.iter().map(|info| (info.ordinal, info.kind)).collect()
}

pub fn file(name: &str) -> PathBuf {
    folder().join(name)
}

/// Numbers that follow from a seed.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// A snapshot as the model has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub kind: SnapshotType,
    pub shards: u32,
    /// The minimal durable content of each file: for a full snapshot the exact one.
    pub content: Vec<Vec<u8>>,
}

/// The state after some operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub snapshots: BTreeMap<u64, Known>,
    pub last: u64,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Make { kind: SnapshotType, shards: u32, reuse: bool },
    Append,
    Publish { which: u64, purge: Purge },
    Prune(Prune),
}

impl Op {
    pub fn draw(numbers: &mut Numbers) -> Self {
        let shards = u32::try_from(1 + numbers.below(3)).unwrap();
        match numbers.below(10) {
            0..3 => Self::Make { kind: Diff, shards, reuse: numbers.one_in(2) },
            3..5 => Self::Make { kind: Pending, shards, reuse: numbers.one_in(2) },
            5 => Self::Append,
            6..9 => {
                let purge = Purge { diffs: numbers.one_in(2), pendings: numbers.one_in(2) };
                Self::Publish { which: numbers.below(3), purge }
            }
            _ => {
                let keep_full = (!numbers.one_in(4)).then(|| u32::try_from(1 + numbers.below(2)).unwrap());
                Self::Prune(Prune { keep_full, pendings: numbers.one_in(2) })
            }
        }
    }
}

impl Model {
    fn of(&self, kind: SnapshotType) -> Vec<u64> {
        self.snapshots.iter().filter(|(_, known)| known.kind == kind).map(|(ordinal, _)| *ordinal).collect()
    }

    pub fn listed(&self) -> Vec<(u64, SnapshotType)> {
        self.snapshots.iter().map(|(ordinal, known)| (*ordinal, known.kind)).collect()
    }

    /// A full snapshot was published with that number.
    pub fn add_full(&mut self, ordinal: u64, shards: u32) -> std::result::Result<(), String> {
        let content = (0..shards as usize).map(|shard| content(ordinal, shard, 0)).collect();
        self.snapshots.insert(ordinal, Known { kind: Full, shards, content });
        if ordinal > self.last { Ok(()) } else { Err(format!("number {ordinal} was given again")) }
    }

    /// The newest full snapshot and every later diff.
    pub fn chain(&self) -> Vec<u64> {
        let base = self.of(Full).last().copied();
        let diffs = self.of(Diff).into_iter().filter(|ordinal| *ordinal > base.unwrap_or(0));
        base.into_iter().chain(diffs).collect()
    }

    fn reusable(&self, kind: SnapshotType, shards: u32) -> Option<u64> {
        let newest = *self.of(kind).last()?;
        let ended = self.snapshots.range(newest + 1..).any(|(_, later)| kind == Diff || later.kind == Full);
        (!ended && self.snapshots[&newest].shards == shards).then_some(newest)
    }

    /// The model after `op`, and the snapshot to publish.
    pub fn after(&self, op: Op) -> (Self, Option<u64>) {
        let mut after = self.clone();
        match op {
            Op::Make { kind, shards, reuse } => {
                if !reuse || self.reusable(kind, shards).is_none() {
                    after.last += 1;
                    let content = vec![Vec::new(); shards as usize];
                    after.snapshots.insert(after.last, Known { kind, shards, content });
                }
            }
            Op::Append => {
                if let Some(newest) = self.of(Diff).last() {
                    for (shard, bytes) in after.snapshots.get_mut(newest).unwrap().content.iter_mut().enumerate() {
                        bytes.extend(content(*newest, shard, bytes.len()));
                    }
                }
            }
            Op::Publish { which, purge } => {
                let pendings = self.of(Pending);
                if pendings.is_empty() {
                    return (after, None);
                }
                let ordinal = pendings[usize::try_from(which).unwrap() % pendings.len()];
                let known = after.snapshots.get_mut(&ordinal).unwrap();
                known.kind = Full;
                known.content = (0..known.shards as usize).map(|shard| content(ordinal, shard, 0)).collect();
                after.snapshots.retain(|found, known| {
                    let goes = (known.kind == Diff && purge.diffs) || (known.kind == Pending && purge.pendings);
                    *found >= ordinal || !goes
                });
                return (after, Some(ordinal));
            }
            Op::Prune(Prune { keep_full, .. }) => {
                // All pending ones were made since the opening.
                let fulls = self.of(Full);
                let place = fulls.len().checked_sub(keep_full.map_or(usize::MAX, |count| count as usize));
                let oldest = place.map_or(0, |place| fulls[place]);
                after.snapshots.retain(|ordinal, known| known.kind == Pending || *ordinal >= oldest);
            }
        }
        (after, None)
    }
}

/// Carries out `op`, which publishes `published`.
pub fn carry_out(disk: &SimDisk, set: &FileSnapshotSet, model: &Model, op: Op, published: Option<u64>) -> Result<()> {
    match op {
        Op::Make { kind, shards, reuse } => {
            let made = set.create_or_get(kind, shards, reuse)?;
            assert_eq!((made.kind, made.shard_paths.len()), (kind, shards as usize));
        }
        Op::Append => {
            let Some((newest, known)) = model.snapshots.iter().rfind(|(_, known)| known.kind == Diff) else {
                return Ok(());
            };
            for (shard, before) in known.content.iter().enumerate() {
                let path = file(&format!("snapshot_{newest}_{shard}-of-{}_diff.bin", known.shards));
                write(disk, &path, &content(*newest, shard, before.len()), before.len() as u64, true)?;
            }
        }
        Op::Publish { purge, .. } => {
            let Some(ordinal) = published else { return Ok(()) };
            let known = &model.snapshots[&ordinal];
            for shard in 0..known.shards as usize {
                let path = file(&format!("snapshot_{ordinal}_{shard}-of-{}_pending.bin", known.shards));
                write(disk, &path, &content(ordinal, shard, 0), 0, false)?;
            }
            set.publish(ordinal, purge)?;
        }
        Op::Prune(prune) => {
            set.prune(prune)?;
        }
    }
    Ok(())
}

/// Compares an open set with the model.
pub fn holds(disk: &SimDisk, set: &FileSnapshotSet, model: &Model) -> std::result::Result<(), String> {
    let list = set.list().map_err(|error| format!("list: {error}"))?;
    let found: Vec<_> = list.snapshots.iter().map(|info| (info.ordinal, info.kind)).collect();
    if found != model.listed() {
        return Err(format!("{found:?} instead of {:?}", model.listed()));
    }
    if !list.foreign.is_empty() {
        return Err(format!("left behind: {:?}", list.foreign));
    }
    let damaged = set.recovery().damaged;
    if !damaged.is_empty() {
        return Err(format!("damaged: {damaged:?}"));
    }
    let chain = set.snapshots_to_restore().map_err(|error| format!("restore: {error}"))?;
    if ordinals(&chain) != model.chain() {
        return Err(format!("restores {:?} instead of {:?}", ordinals(&chain), model.chain()));
    }
    for info in &list.snapshots {
        let known = &model.snapshots[&info.ordinal];
        for (path, expected) in info.shard_paths.iter().zip(&known.content) {
            let bytes = disk.read_file(path).ok_or_else(|| format!("{} is missing", path.display()))?;
            let is_whole = if known.kind == Full { bytes == *expected } else { bytes.starts_with(expected) };
            if !is_whole {
                return Err(format!("{} holds something else", path.display()));
            }
        }
    }
    Ok(())
}

/// Opens the set on `disk` and returns which of `models` it matches.
pub fn reopened(disk: &SimDisk, models: &[&Model]) -> std::result::Result<(FileSnapshotSet, usize), String> {
    let set = open(disk).map_err(|error| format!("does not open: {error}"))?;
    let mut wrong = Vec::new();
    for (place, model) in models.iter().enumerate() {
        match holds(disk, &set, model) {
            Ok(()) => return Ok((set, place)),
            Err(what) => wrong.push(what),
        }
    }
    Err(wrong.join(", or "))
}
