//! Shared by the tests: a log on a simulated disk, and events whose bytes follow from their id.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(unreachable_pub, reason = "a module of each test")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_event_log::{Direction, EventIn, EventLog, EventLogOptions, Result, Scan, scan};
use ledgerstone_format::{StoreId, compression::Compression};
use ledgerstone_vfs::{
    Vfs,
    sim::{Seeds, SimDisk},
};

pub const STORE: StoreId = StoreId::from_random([9; 16]);
/// Small, so that segments roll.
pub const SMALL: EventLogOptions =
    EventLogOptions { segment_bytes: 24 * 1024, max_event_bytes: 1 << 20, compression: Compression::None };
pub type Event = (u64, Vec<u8>);

pub fn dir() -> &'static Path {
    Path::new("/store/events")
}

pub fn vfs(disk: &SimDisk) -> Arc<dyn Vfs> {
    Arc::new(disk.clone())
}

pub fn create(disk: &SimDisk, options: EventLogOptions) -> Result<Arc<EventLog>> {
    EventLog::create(vfs(disk), dir(), STORE, options, 1)
}

pub fn scan_of(disk: &SimDisk) -> Result<Scan> {
    scan(&vfs(disk), dir(), STORE)
}

pub fn open(disk: &SimDisk, options: EventLogOptions, truncate_from: Option<u64>) -> Result<Arc<EventLog>> {
    scan_of(disk)?.open(options, truncate_from)
}

/// An event with unique bytes: 8 bytes of its id, then a pattern.
pub fn event(id: u64, len: usize) -> Event {
    let bytes = id.to_le_bytes().into_iter().cycle().zip(0_u8..=255).map(|(id, n)| id ^ n);
    let bytes = bytes.cycle().take(len).collect();
    (id / 3 * 10, bytes)
}

pub fn append(log: &EventLog, events: &[Event]) -> Result<()> {
    let first_id = log.next_event_id();
    log.append(&mut events.iter().map(|(timestamp_ms, bytes)| EventIn { timestamp_ms: *timestamp_ms, bytes }), first_id)
}

/// Appends events `next..next + count` of `len` bytes each; returns them.
pub fn append_made(log: &EventLog, count: u64, len: usize) -> Vec<Event> {
    let next = log.next_event_id();
    let events: Vec<Event> = (next..next + count).map(|id| event(id, len)).collect();
    append(log, &events).unwrap();
    events
}

/// Everything in the log from `from` up to `to`, in the order of the visit.
pub fn read(log: &EventLog, from: u64, to: u64, direction: Direction) -> Result<Vec<(u64, Event)>> {
    let mut found = Vec::new();
    log.read(from, to, direction, &mut |id, timestamp_ms, bytes| {
        found.push((id, (timestamp_ms, bytes.to_vec())));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Compares every way of reading with `model`, whose first event has the id `first_id`.
pub fn assert_holds(log: &EventLog, first_id: u64, model: &[Event]) {
    let next = first_id + model.len() as u64;
    assert_eq!((log.oldest_event_id(), log.next_event_id()), (first_id, next));
    let mut expected: Vec<(u64, Event)> = (first_id..).zip(model.iter().cloned()).collect();
    assert!(read(log, 0, u64::MAX, Direction::Forward).unwrap() == expected, "forward");
    for (id, event) in &expected {
        assert!(log.get(*id).unwrap().as_ref() == Some(event), "get({id})");
    }
    expected.reverse();
    assert!(read(log, 0, u64::MAX, Direction::Backward).unwrap() == expected, "backward");
    assert_eq!((log.get(next).unwrap(), log.get(first_id.wrapping_sub(1)).unwrap()), (None, None));
    for timestamp_ms in model.iter().flat_map(|event| [event.0, event.0 + 1]).chain([0]) {
        let position = model.iter().position(|event| event.0 >= timestamp_ms).unwrap_or(model.len());
        assert_eq!(log.first_at(timestamp_ms).unwrap(), first_id + position as u64, "first_at({timestamp_ms})");
    }
    assert_eq!(log.stats().count, model.len() as u64);
}

pub fn file_bytes(disk: &SimDisk) -> u64 {
    segments(disk).iter().map(|path| disk.read_file(path).unwrap().len() as u64).sum()
}

pub fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    disk.list().into_iter().filter(|path| path.starts_with(dir())).collect()
}

/// The seeds to run: half of them known, half of them fresh, or those named by the environment.
pub fn seeds(default_count: u64) -> impl Iterator<Item = u64> {
    Seeds::new(default_count / 2, default_count - default_count / 2).iter()
}

/// Numbers that follow from a seed.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Where the frames in the file of an active segment begin, and their lengths.
pub fn frames(file: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut found) = (4_096, Vec::new());
    while at + 44 <= file.len() {
        match u32::from_le_bytes(file.get(at..at + 4).unwrap().try_into().unwrap()) as usize {
            0 if at.is_multiple_of(4_096) => break,
            0 => at = at.next_multiple_of(4_096),
            len => {
                found.push((at, len));
                at += len.next_multiple_of(8);
            }
        }
    }
    found
}
