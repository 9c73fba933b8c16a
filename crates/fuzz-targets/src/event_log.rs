//! The event log on its own: any bytes in the place of its files, and any appends.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use arbitrary::{Result as Drawn, Unstructured};
use ledgerstone_event_log::{
    Direction, Event, Ground, Opening, OwnedLog, OwnedLogOptions, Result, RetentionPolicy, reseal_file,
};
use ledgerstone_format::{Durability, StoreId, compression::Compression};
use ledgerstone_vfs::sim::{SimClock, SimDisk};

use crate::{
    bounds::{check_effort, check_refusal, in_memory_of},
    input::{Input, RESEALED, encode},
    seeds::noise,
};

const DIR: &str = "/log";
const SMALL_FILES: [&str; 3] = ["IDENTITY", "CLEAN", "horizon"];
/// One byte of LZ4 stands for at most this many.
const LZ4_RATIO: u64 = 255;
/// An event that was decompressed is in memory so often: in its frame, in a page, in what is compared.
const COPIES: u64 = 8;

/// What the events of a segment may take that are compressed. Of LZ4 its length tells; of Zstandard a few bytes may stand for an event of a
/// gibibyte, and the frame says so.
fn decompressed_bytes(segment: &[u8]) -> u64 {
    const FLAGS_AT: usize = 28;
    const RAW_LEN_AT: usize = 32;
    let number = |at: usize| segment.get(at..)?.first_chunk().map(|number| u32::from_le_bytes(*number));
    let claims = (0..segment.len()).step_by(8).filter(|at| number(at + FLAGS_AT) == Some(2));
    let zstd = claims.filter_map(|at| number(at + RAW_LEN_AT)).max().unwrap_or_default();
    COPIES * (LZ4_RATIO * segment.len() as u64 + u64::from(zstd))
}

fn options(opening: Opening, compression: Compression) -> OwnedLogOptions {
    OwnedLogOptions {
        opening,
        segment_bytes: 16 << 10,
        max_event_bytes: 64 << 10,
        first_event_id: 1,
        durability: Durability::Written,
        compression,
        retention: RetentionPolicy::default(),
        allow_network_file_system: false,
    }
}

fn open_as(disk: &SimDisk, opening: Opening, compression: Compression) -> Result<OwnedLog> {
    let ground = Ground {
        vfs: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::new(1_700_000_000_000)),
        new_id: |_| StoreId::from_random([5; 16]),
    };
    OwnedLog::open(&ground, Path::new(DIR), options(opening, compression))
}

fn open(disk: &SimDisk) -> Result<OwnedLog> {
    open_as(disk, Opening::CreateOrOpen, Compression::Lz4)
}

/// All events; by number, forward and backward are the same.
fn read(log: &OwnedLog) -> Result<Vec<Event>> {
    let events: Vec<Event> = log.iter_range(0, None).collect::<Result<_>>()?;
    let mut backward = Vec::new();
    log.read(0, u64::MAX, Direction::Backward, &mut |id, timestamp_ms, bytes| {
        backward.push(Event { id, timestamp_ms, bytes: bytes.to_vec() });
        ControlFlow::Continue(())
    })?;
    backward.reverse();
    assert_eq!(events, backward);
    let ids: Vec<u64> = events.iter().map(|event| event.id).collect();
    assert_eq!(ids, (log.oldest_event_id()..log.next_event_id()).collect::<Vec<_>>());
    // Not all of many: each is looked up.
    for event in events.iter().step_by(events.len() / 8 + 1) {
        assert_eq!(log.get(event.id)?, Some((event.timestamp_ms, event.bytes.clone())));
        // A liar's index and footer can have other times than the frames.
        log.first_at(event.timestamp_ms)?;
    }
    Ok(events)
}

/// Goes on with the log: what it was before, and that it is still so with one more event behind it.
fn go_on(disk: &SimDisk) -> Result<Vec<Event>> {
    let log = open(disk)?;
    let events = read(&log)?;
    let mut damages = 0;
    log.verify(&mut |_| damages += 1, &|| false)?;
    log.append_with_id(log.next_event_id(), b"more")?;
    log.close()?;
    drop(log);
    let log = open(&disk.crash())?;
    let mut again = read(&log)?;
    log.close()?;
    assert_eq!(again.pop().map(|event| event.bytes), Some(b"more".to_vec()));
    assert_eq!(again, events, "the log is not what it was");
    Ok(events)
}

/// A segment's first id, which its name has.
fn segment_name(file: &[u8]) -> String {
    const FIRST_ID_AT: usize = 28;
    let id = file.get(FIRST_ID_AT..).and_then(<[u8]>::first_chunk).map_or(1, |id| u64::from_le_bytes(*id));
    format!("events-{id:020}.log")
}

/// The small files of a log and two segments.
pub(crate) fn files(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let small = SMALL_FILES.map(|name| (name.to_owned(), input.next_file()));
    let segments = [input.next_file(), input.last_file()].map(|file| (segment_name(&file), file));
    let decompressed_bytes = segments.iter().map(|(_, file)| decompressed_bytes(file)).sum();
    in_memory_of(bytes.len(), decompressed_bytes, || {
        let disk = SimDisk::new(1);
        for (name, mut file) in small.into_iter().chain(segments).filter(|(_, file)| !file.is_empty()) {
            if input.is(RESEALED) {
                reseal_file(&name, &mut file);
            }
            disk.write_file(Path::new(DIR).join(name), &file);
        }
        let operations = disk.operations();
        let archived = open_as(&disk, Opening::ReadOnly, Compression::None).and_then(|log| read(&log));
        if let Err(error) = &archived {
            check_refusal(error.code(), error, &["ERR_NOT_FOUND"]);
        }
        assert_eq!(disk.operations(), operations, "reading changes nothing");
        match go_on(&disk) {
            Ok(events) => assert!(archived.is_ok_and(|archived| archived == events) || events.is_empty()),
            Err(error) => check_refusal(error.code(), &error, &["ERR_LIMIT"]),
        }
        check_effort(&disk, bytes.len());
    });
}

/// What is done to a log.
enum Step {
    Append(Vec<Vec<u8>>),
    Sync,
    Rotate,
    Reopen,
}

fn draw(from: &mut Unstructured<'_>) -> Drawn<Step> {
    Ok(match from.int_in_range(0..=7)? {
        0 => Step::Sync,
        1 => Step::Rotate,
        2 => Step::Reopen,
        _ => {
            let mut events = Vec::new();
            for _ in 0..from.int_in_range(1..=5)? {
                let len = from.int_in_range(0..=5_000)?;
                // What there is, over and over: some of it gets shorter by compression.
                let piece = from.bytes(len.min(from.len()).min(64))?;
                events.push(piece.iter().copied().cycle().take(if piece.is_empty() { 0 } else { len }).collect());
            }
            Step::Append(events)
        }
    })
}

/// Any appends, given back as they were.
pub(crate) fn appends(bytes: &[u8]) {
    let mut from = Unstructured::new(bytes);
    let all = [Compression::None, Compression::Lz4, Compression::Zstd];
    let compression = all[usize::from(from.arbitrary::<u8>().unwrap_or_default()) % all.len()];
    let disk = SimDisk::new(1);
    let mut log = open_as(&disk, Opening::CreateOrOpen, compression).unwrap();
    let mut expected: Vec<Vec<u8>> = Vec::new();
    while let (Ok(step), false) = (draw(&mut from), from.is_empty()) {
        match step {
            Step::Append(events) => {
                log.append_batch_with_ids(log.next_event_id(), &events).unwrap();
                expected.extend(events);
            }
            Step::Sync => log.sync().unwrap(),
            Step::Rotate => drop(log.rotate().unwrap()),
            Step::Reopen => {
                log.close().unwrap();
                log = open_as(&disk, Opening::Existing, compression).unwrap();
            }
        }
    }
    log.sync().unwrap();
    let killed = disk.crash();
    drop(log);
    let events = go_on(&killed).unwrap();
    assert_eq!(events.into_iter().map(|event| event.bytes).collect::<Vec<_>>(), expected);
}

/// Logs that were closed and that were killed, with and without a horizon, of every compression.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (compression, is_closed) in [Compression::None, Compression::Lz4, Compression::Zstd]
        .into_iter()
        .flat_map(|kind| [(kind, false), (kind, true)])
    {
        let disk = SimDisk::new(1);
        let log = open_as(&disk, Opening::CreateOrOpen, compression).unwrap();
        for n in 0..8_u8 {
            let events = [noise(u64::from(n), 150), vec![n; 200], Vec::new(), vec![n; 3]];
            log.append_batch_with_ids(log.next_event_id(), &events).unwrap();
            if n == 3 {
                log.rotate().unwrap();
            }
        }
        log.sync().unwrap();
        if is_closed {
            log.delete_range(0, 6).unwrap();
            log.close().unwrap();
        }
        let file = |name: &str| disk.read_file(Path::new(DIR).join(name)).unwrap_or_default();
        let segments: Vec<_> = disk
            .list()
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .map(|path| disk.read_file(path).unwrap())
            .collect();
        let files: Vec<_> = SMALL_FILES.map(file).into_iter().chain(segments).collect();
        let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        seeds.extend([0, RESEALED].map(|how| encode(how, &files)));
    }
    seeds
}
