//! The journal: any bytes in the place of its files, and any commits.

use std::{path::Path, sync::Arc};

use arbitrary::{Result as Drawn, Unstructured};
use ledgerstone_format::StoreId;
use ledgerstone_journal::{
    Error, Frame, FrameBuilder, FrameKind, Journal, JournalOptions, OpKind, Poison, Result, ScanFrom, Stamp,
    reseal_file, scan, verify,
};
use ledgerstone_vfs::{
    Vfs,
    sim::{SimClock, SimDisk},
};

use crate::{
    bounds::{check_effort, check_refusal, in_memory_of},
    input::{CHAINED, Input, RESEALED, encode},
};

const DIR: &str = "/journal";
const OPTIONS: JournalOptions =
    JournalOptions { first_file_bytes: 16 << 10, max_file_bytes: 64 << 10, group_wake_bytes: 8 << 10, keep_bytes: 0 };

fn store_id() -> StoreId {
    StoreId::from_random([7; 16])
}

/// From the first commit on, and nothing is promised.
fn beginning() -> ScanFrom {
    ScanFrom { applied_seq: 0, next_event_id: 1, position: None, promised: ledgerstone_journal::Promise::default() }
}

fn name(number: usize) -> String {
    format!("{DIR}/journal-{number:020}.wal")
}

/// What a commit is made of, as a frame has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Commit {
    kind: FrameKind,
    timestamp_ms: u64,
    events: Vec<Vec<u8>>,
    ops: Vec<(OpKind, u32, Vec<u8>, Vec<u8>)>,
}

impl Commit {
    fn of(frame: &Frame) -> Self {
        let bytes = frame.bytes();
        let ops = frame.ops().map(|op| (op.kind, op.collection, bytes[op.key].to_vec(), bytes[op.value].to_vec()));
        Self {
            kind: frame.kind(),
            timestamp_ms: frame.timestamp_ms(),
            events: frame.events().map(|event| bytes[event].to_vec()).collect(),
            ops: ops.collect(),
        }
    }

    fn numbered(n: u64) -> Self {
        let put = (OpKind::Put, 3, n.to_be_bytes().to_vec(), vec![7; 40]);
        Self { kind: FrameKind::Commit, timestamp_ms: n, events: vec![vec![9; 10], Vec::new()], ops: vec![put] }
    }

    fn draw(from: &mut Unstructured<'_>) -> Drawn<Self> {
        let bytes = |from: &mut Unstructured<'_>, most: usize| {
            let len = from.int_in_range(0..=most)?;
            Ok(from.bytes(len.min(from.len()))?.to_vec())
        };
        let mut commit =
            Self { kind: FrameKind::Commit, timestamp_ms: from.arbitrary()?, events: Vec::new(), ops: Vec::new() };
        for _ in 0..from.int_in_range(0..=4)? {
            commit.events.push(bytes(from, 200)?);
        }
        for _ in 0..from.int_in_range(0..=4)? {
            let kind = *from.choose(&[OpKind::Put, OpKind::Delete, OpKind::CreateCollection, OpKind::SetMeta])?;
            commit.ops.push((kind, from.arbitrary()?, bytes(from, 60)?, bytes(from, 6_000)?));
        }
        Ok(commit)
    }

    fn append(&self, journal: &Journal, seq: u64, first_event_id: u64) -> Result<()> {
        let mut frame = FrameBuilder::new(self.kind, 0, self.events.iter().map(Vec::as_slice))?;
        for (kind, collection, key, value) in &self.ops {
            frame.op(*kind, *collection, key, value)?;
        }
        journal.reserve(frame.encoded_len())?;
        journal.append(frame, Stamp { seq, first_event_id, timestamp_ms: self.timestamp_ms })?;
        journal.after_append();
        Ok(())
    }
}

fn parts() -> (Arc<SimClock>, Arc<Poison>) {
    (Arc::new(SimClock::new(1_700_000_000_000)), Arc::new(Poison::new()))
}

fn create(disk: &SimDisk) -> Result<Arc<Journal>> {
    let (clock, poison) = parts();
    Journal::create(Arc::new(disk.clone()), clock, Path::new(DIR), store_id(), OPTIONS, poison)
}

fn step(journal: &Journal) -> Result<()> {
    while journal.step()? {}
    Ok(())
}

/// Reads the journal as it is.
fn read(disk: &SimDisk) -> Result<Vec<Commit>> {
    let operations = disk.operations();
    let found = scan(Arc::new(disk.clone()), Path::new(DIR), store_id(), beginning())?;
    assert_eq!(disk.operations(), operations, "reading changes nothing");
    for (frame, seq) in found.frames.iter().zip(1..) {
        assert_eq!(frame.seq(), seq);
    }
    assert_eq!(found.last_seq, found.frames.len() as u64);
    Ok(found.frames.iter().map(Commit::of).collect())
}

fn damages(disk: &SimDisk, from: Option<ScanFrom>) -> u64 {
    let mut damages = 0;
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    verify(&vfs, Path::new(DIR), store_id(), from, &mut |_| damages += 1, &|| false);
    damages
}

/// Goes on with the journal: what it was before, and that it is still so with one more commit behind it.
fn go_on(disk: &SimDisk) -> Result<Vec<Commit>> {
    let commits = read(disk)?;
    let found = scan(Arc::new(disk.clone()), Path::new(DIR), store_id(), beginning())?;
    let (seq, event_id) = (found.last_seq + 1, found.next_event_id);
    let (clock, poison) = parts();
    let journal = found.open(clock, OPTIONS, poison)?;
    let more = Commit::numbered(77);
    more.append(&journal, seq, event_id)?;
    step(&journal)?;
    journal.close()?;
    drop(journal);
    let again = read(&disk.crash())?;
    assert_eq!(again.split_last(), Some((&more, commits.as_slice())), "the journal is not what it was");
    Ok(commits)
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::Corrupt { .. } => "ERR_CORRUPT",
        Error::Format { .. } | Error::Foreign { .. } => "ERR_FORMAT",
        Error::Limit { .. } => "ERR_LIMIT",
        _ => "another",
    }
}

/// Two files of a journal.
pub(crate) fn files(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut files = [input.next_file(), input.last_file()];
    if input.is(RESEALED) {
        let mut chain = input.is(CHAINED).then_some(0);
        for file in &mut files {
            chain = reseal_file(file, chain);
        }
    }
    in_memory_of(bytes.len(), 0, || {
        let disk = SimDisk::new(1);
        for (file, number) in files.iter().zip(1..) {
            if !file.is_empty() {
                disk.write_file(name(number), file);
            }
        }
        damages(&disk, None);
        let found = read(&disk);
        assert_eq!(damages(&disk, Some(beginning())) == 0, found.is_ok(), "verifying and reading disagree: {found:?}");
        match found.and_then(|_| go_on(&disk)) {
            Ok(_) => {}
            Err(error) => check_refusal(code(&error), &error, &[]),
        }
        check_effort(&disk, bytes.len());
    });
}

/// Any commits, given back as they were.
pub(crate) fn commits(bytes: &[u8]) {
    let mut from = Unstructured::new(bytes);
    let mut commits = Vec::new();
    while let (Ok(commit), false) = (Commit::draw(&mut from), from.is_empty()) {
        commits.push(commit);
    }
    in_memory_of(bytes.len(), 0, || {
        let disk = SimDisk::new(1);
        let journal = create(&disk).unwrap();
        let mut event_id = 1;
        for (commit, seq) in commits.iter().zip(1..) {
            commit.append(&journal, seq, event_id).unwrap();
            event_id += commit.events.len() as u64;
            if commit.timestamp_ms.is_multiple_of(3) {
                step(&journal).unwrap();
            }
        }
        step(&journal).unwrap();
        assert_eq!(read(&disk.crash()).unwrap(), commits);
        journal.close().unwrap();
        assert_eq!(go_on(&disk.crash()).unwrap(), commits);
    });
}

/// Journals that were closed, that were killed, with one file and with two.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (count, is_closed) in [(0, false), (3, false), (3, true), (250, false), (250, true)] {
        let disk = SimDisk::new(1);
        let journal = create(&disk).unwrap();
        for n in 1..=count {
            Commit::numbered(n).append(&journal, n, 2 * n - 1).unwrap();
            if n % 2 == 0 {
                step(&journal).unwrap();
            }
        }
        step(&journal).unwrap();
        if is_closed {
            journal.close().unwrap();
        }
        let files = [1, 2].map(|number| disk.read_file(name(number)).unwrap_or_default());
        // What is behind the frames of a file is zeros, which tell nothing.
        let files = files.each_ref().map(|file| {
            let used = file.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last + 8) & !7);
            &file[..used.max(file.len().min(4_096))]
        });
        seeds.extend([0, RESEALED, RESEALED | CHAINED].map(|how| encode(how, &files)));
    }
    seeds
}
