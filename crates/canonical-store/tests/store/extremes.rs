//! Every integer that a store's code reads from its files, one after another at its extremes: once as damage, and once with
//! matching checksums. The store may refuse to open, or to read, with an error that says why; it may not panic, allocate or
//! read as much as a file claims, or show data that was never written.
//!
//! Bug: an unchecked length decided an allocation, and the process ended in it. Mechanism: a matching checksum was taken as
//! proof that a number is plausible. Fix: each is compared with what its file can hold before it is used. Reserving the length of a
//! journal frame, the raw length of a compressed one, or the entries of an index, before that makes this fail.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use allocation_counter::measure;
use ledgerstone_canonical_store::{
    Direction, Error, Fill, GateEntry, KeyBounds, Level, OpenOptions, Owner, Store,
    testing::{WriteSet, close_stepped, file_fields, open_simulated, step_flusher, step_journal},
};
use ledgerstone_event_log::{Error as LogError, Ground, Opening, OwnedLog, OwnedLogOptions, RetentionPolicy};
use ledgerstone_format::{Durability, StoreId, compression::Compression};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

const PATH: &str = "/store";
/// More than the sound store needs: windows that grow, and copies of a file on the simulated disk.
const MORE_BYTES: u64 = 2 << 20;

/// All readable data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    events: BTreeMap<u64, Vec<u8>>,
    collections: Vec<String>,
}

fn options() -> OpenOptions {
    OpenOptions {
        segment_bytes: Some(64 << 10),
        flush_bytes: Some(64 << 10),
        event_compression: Some(Compression::Lz4),
        ..OpenOptions::default()
    }
}

fn open(disk: &SimDisk) -> Result<Arc<Store>, Error> {
    open_simulated(disk, &SimClock::new(5_000), Path::new(PATH), &options())
}

/// Noise, so that compression does not change its length.
fn noise(mut state: u64, len: usize) -> Vec<u8> {
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(len)
    .collect()
}

fn commit(store: &Store, set: &WriteSet) -> Result<(), Error> {
    let slots = [store.collection("state", "utf8", "json")?, store.collection("others", "utf8", "json")?];
    store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).map(drop)
}

fn flush(store: &Store) {
    store.want(Level::Flushed, store.marks().applied);
    step_flusher(store);
}

/// Segments with and without a footer, frames of one and of several events, compressed and not; a horizon; a checkpoint with
/// two collections; journal files, of which the last one has frames that no flush has taken.
///
/// With the content of the store after the last flush and after each commit since then.
fn written() -> (SimDisk, Arc<Store>, Vec<Content>) {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    for n in 0..10_u8 {
        let mut set = WriteSet::default().put(0, &[b'k', n], &[n; 40]).put(1, &[n], b"1").delete(1, &[n / 2]);
        for event in 0..3 {
            set = set.event(&[n + event; 300]);
        }
        commit(&store, &set.event(&noise(u64::from(n), 15_000))).unwrap();
        if n % 2 == 1 {
            flush(&store);
        }
    }
    store.trim_events(15).unwrap();
    flush(&store);
    store.free_trimmed(15).unwrap();
    let mut contents = vec![content(&store).unwrap()];
    for n in 0..2_u8 {
        commit(&store, &WriteSet::default().put(0, &[b'l', n], &[n; 40]).event(&[n; 20]).event(b"")).unwrap();
        while step_journal(&store).unwrap() {}
        contents.push(content(&store).unwrap());
    }
    (disk, store, contents)
}

/// The mark of a clean close proves all of it.
fn closed() -> Sound {
    let (disk, store, contents) = written();
    close_stepped(&store).unwrap();
    Sound::new(disk.crash(), use_store, contents.into_iter().skip(2).collect())
}

/// The last groups have no witness.
fn killed() -> Sound {
    let (disk, _store, contents) = written();
    Sound::new(disk.crash(), use_store, contents)
}

fn content(store: &Arc<Store>) -> Result<Content, Error> {
    let mut content = Content { collections: store.collections()?, ..Content::default() };
    for name in &content.collections {
        let slot = store.collection(name, "utf8", "json")?;
        let bounds = KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false, limit: None };
        store.range(&slot, bounds)?.fill(&mut |key, value| {
            content.entries.push((key.to_vec(), value.to_vec()));
            Fill::Taken
        })?;
    }
    store.read_events(0, u64::MAX, Direction::Forward, &mut |id, _, bytes| {
        content.events.insert(id, bytes.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(content)
}

/// Opens, verifies, reads, keeps writing, closes, and opens again. Returns what was read first.
fn use_store(disk: &SimDisk) -> Result<Content, Refused> {
    used(disk).map_err(|error| (error.code(), error.to_string()))
}

fn used(disk: &SimDisk) -> Result<Content, Error> {
    let store = open(disk)?;
    store.verify(&|| false)?;
    let read = content(&store)?;
    commit(&store, &WriteSet::default().put(0, b"more", b"1").event(b"more"))?;
    close_stepped(&store)?;
    drop(store);
    let store = open(disk)?;
    content(&store)?;
    close_stepped(&store)?;
    Ok(read)
}

/// The code and the text of an error.
type Refused = (&'static str, String);

/// The result, its memory, and how much it read.
struct Used {
    outcome: Result<Content, Refused>,
    memory_bytes: u64,
    read_bytes: u64,
}

type Use = fn(&SimDisk) -> Result<Content, Refused>;

fn measured(disk: &SimDisk, used_by: Use) -> Used {
    let mut outcome = None;
    let before = disk.counts().bytes_read;
    let memory = measure(|| outcome = Some(used_by(disk)));
    Used { outcome: outcome.unwrap(), memory_bytes: memory.bytes_max, read_bytes: disk.counts().bytes_read - before }
}

/// The sound store, with which a modified one is compared.
struct Sound {
    disk: SimDisk,
    used_by: Use,
    used: Used,
    total_bytes: u64,
    /// The contents that may be shown after damage.
    contents: Vec<Content>,
}

impl Sound {
    fn new(disk: SimDisk, used_by: Use, contents: Vec<Content>) -> Self {
        let used = measured(&disk.crash(), used_by);
        assert_eq!(used.outcome.as_ref().ok(), contents.last());
        assert!(contents.last().unwrap().events.len() > 20);
        let total_bytes = disk.used_bytes();
        Self { disk, used_by, used, total_bytes, contents }
    }

    /// Uses the store with this file replaced.
    fn with(&self, path: &Path, file: &[u8]) -> Used {
        let disk = self.disk.crash();
        disk.write_file(path, file);
        measured(&disk, self.used_by)
    }

    fn check(&self, path: &Path, file: &[u8], vouched: bool) -> Result<&'static str, String> {
        let used = catch_unwind(AssertUnwindSafe(|| self.with(path, file))).map_err(|_| "it panics".to_owned())?;
        if used.memory_bytes > self.used.memory_bytes + self.total_bytes + MORE_BYTES {
            return Err(format!("it takes {} bytes, {} otherwise", used.memory_bytes, self.used.memory_bytes));
        }
        // Nothing is read repeatedly: to judge a break, the rest of a file is searched once per reading.
        if used.read_bytes > self.used.read_bytes + 16 * self.total_bytes {
            return Err(format!("it reads {} bytes, {} otherwise", used.read_bytes, self.used.read_bytes));
        }
        match used.outcome {
            Ok(content) if vouched || self.contents.contains(&content) => Ok("it is served"),
            Ok(_) => Err("it is served, and is not what was written".to_owned()),
            Err((code, error)) => match code {
                "ERR_CORRUPT" | "ERR_FORMAT" => Ok(code),
                "ERR_CODEC_MISMATCH" | "ERR_LIMIT" | "ERR_SEALED" if vouched => Ok(code),
                code => Err(format!("{code}: {error}")),
            },
        }
    }
}

fn tried(sound: &Sound, parts: &[&str]) {
    let (mut wrong, mut met) = (BTreeMap::new(), BTreeMap::<String, u64>::new());
    for path in sound.disk.list() {
        let file = sound.disk.read_file(&path).unwrap();
        let fields = file_fields(&path, &file);
        *met.entry(format!("fields of {}", kind(&path))).or_default() += fields.len() as u64;
        for field in &fields {
            for value in field.extremes(&file) {
                for vouched in [false, true] {
                    let mut lying = file.clone();
                    field.set(&mut lying, value);
                    if vouched {
                        field.reseal(&mut lying);
                    }
                    match sound.check(&path, &lying, vouched) {
                        Ok(outcome) => {
                            *met.entry(format!("{} vouched={vouched}: {outcome}", field.part)).or_default() += 1;
                        }
                        // Only the first failure of a kind is reported.
                        Err(what) => {
                            let what = what.split(':').next().unwrap_or_default().to_owned()
                                + " in "
                                + &format!("{} {field:?}", path.display());
                            wrong.entry(what).or_insert_with(|| format!("{value:#x}, vouched={vouched}"));
                        }
                    }
                }
            }
        }
    }
    println!("{met:#?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    for part in parts {
        assert!(met.keys().any(|key| key.starts_with(part)), "nothing of a {part} was tried");
    }
}

/// The part of a file's name that is common to files of its kind.
fn kind(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    name.split('-').next().unwrap().to_owned()
}

/// The last one exists only in a closed store.
const STORE_PARTS: [&str; 11] = [
    "journal header",
    "journal frame",
    "segment header",
    "frame of events",
    "footer",
    "index",
    "horizon",
    "meta record",
    "catalog",
    "identity",
    "mark",
];

#[test]
fn every_integer_of_a_closed_store_at_its_extremes() {
    tried(&closed(), &STORE_PARTS);
}

#[test]
fn every_integer_of_a_killed_store_at_its_extremes() {
    tried(&killed(), &STORE_PARTS[..STORE_PARTS.len() - 1]);
}

fn open_log(disk: &SimDisk) -> Result<OwnedLog, LogError> {
    let ground = Ground {
        vfs: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::new(5_000)),
        new_id: |_| StoreId::from_random([5; 16]),
    };
    OwnedLog::open(&ground, Path::new(PATH), LOG)
}

const LOG: OwnedLogOptions = OwnedLogOptions {
    opening: Opening::CreateOrOpen,
    segment_bytes: 16 << 10,
    max_event_bytes: 100_000,
    first_event_id: 1,
    durability: Durability::Written,
    compression: Compression::Zstd,
    retention: RetentionPolicy { max_events: None, max_age_ms: None, max_bytes: None },
    allow_network_file_system: false,
};

fn log_content(log: &OwnedLog) -> Result<Content, LogError> {
    let events = log.iter_range(0, None).map(|event| event.map(|event| (event.id, event.bytes)));
    Ok(Content { events: events.collect::<Result<_, _>>()?, ..Content::default() })
}

fn use_log(disk: &SimDisk) -> Result<Content, Refused> {
    let used = || {
        let log = open_log(disk)?;
        let read = log_content(&log)?;
        log.append_with_id(log.next_event_id(), b"more")?;
        log.close()?;
        let log = open_log(disk)?;
        log_content(&log)?;
        log.close()?;
        Ok(read)
    };
    used().map_err(|error: LogError| (error.code(), error.to_string()))
}

/// Segments, a horizon, an identity, and the mark of a clean close.
#[test]
fn every_integer_of_a_log_on_its_own_at_its_extremes() {
    let disk = SimDisk::new(1);
    let log = open_log(&disk).unwrap();
    for n in 0..30_u8 {
        let bytes = if n % 3 == 0 { noise(u64::from(n), 3_000) } else { vec![n; 500] };
        log.append_with_id(u64::from(n) + 1, &bytes).unwrap();
    }
    log.delete_range(0, 9).unwrap();
    let content = log_content(&log).unwrap();
    log.close().unwrap();
    let parts = ["segment header", "frame of events", "footer", "index", "horizon", "record of a log"];
    tried(&Sound::new(disk.crash(), use_log, vec![content]), &parts);
}
