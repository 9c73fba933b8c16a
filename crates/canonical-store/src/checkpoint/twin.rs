//! The checkpoint's twin for simulations: a map in memory whose committed form is one file, replaced atomically on the
//! simulated disk. For small stores only. Writes in parts like the real one, so that simulations crash between parts.

#[cfg(feature = "planted-faults")]
use std::rc::Rc;
use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_format::{ByteReader, PlantedFault, checksum::crc32c, planted};
#[cfg(feature = "planted-faults")]
use ledgerstone_format::{FileField, Reseal, integers_read};
use ledgerstone_vfs::{Vfs, read_small_file, write_atomically};
use parking_lot::Mutex;

use super::{
    Batch, Checkpoint, CheckpointRead, CheckpointSize, Filling, Loaded, Part, Place, Visit,
    batch::{decode_entry, encode_entry},
    divide::evenly,
    value,
};
use crate::{
    Error,
    delta::full_key,
    error::Result,
    meta::MetaRecord,
    verify::{Problem, ProblemKind, Report},
};

/// Few, so that a small delta has several parts.
const PART_OPERATIONS: usize = 3;
const LIMIT_BYTES: usize = 1 << 30;
const MAGIC: &[u8] = b"LGST-TWN";

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug, Default)]
struct Committed {
    state: Arc<Entries>,
    catalog: BTreeMap<u32, Vec<u8>>,
    meta: Option<Vec<u8>>,
    unfinished_seq: u64,
}

#[derive(Debug)]
pub(crate) struct TwinCheckpoint {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    committed: Mutex<Committed>,
}

fn put_block(bytes: &mut Vec<u8>, block: &[u8]) {
    bytes.extend_from_slice(&u32::try_from(block.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(block);
}

fn block<'a>(reader: &mut ByteReader<'a>) -> Option<&'a [u8]> {
    let len = reader.u32()?;
    reader.take(usize::try_from(len).ok()?)
}

impl Committed {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        put_block(&mut bytes, self.meta.as_deref().unwrap_or_default());
        put_block(&mut bytes, &self.unfinished_seq.to_le_bytes());
        put_block(&mut bytes, &u32::try_from(self.catalog.len()).unwrap_or(u32::MAX).to_le_bytes());
        for (id, entry) in &self.catalog {
            put_block(&mut bytes, &id.to_le_bytes());
            put_block(&mut bytes, entry);
        }
        for (key, stored) in &*self.state {
            put_block(&mut bytes, key);
            put_block(&mut bytes, stored);
        }
        bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut reader = ByteReader::new(body.strip_prefix(MAGIC)?);
        let meta = block(&mut reader)?;
        let mut committed = Self { meta: (!meta.is_empty()).then(|| meta.to_vec()), ..Self::default() };
        committed.unfinished_seq = u64::from_le_bytes(block(&mut reader)?.try_into().ok()?);
        for _ in 0..u32::from_le_bytes(block(&mut reader)?.try_into().ok()?) {
            let id = u32::from_le_bytes(block(&mut reader)?.try_into().ok()?);
            committed.catalog.insert(id, block(&mut reader)?.to_vec());
        }
        let mut state = Entries::new();
        while reader.remaining() > 0 {
            state.insert(block(&mut reader)?.to_vec(), block(&mut reader)?.to_vec());
        }
        committed.state = Arc::new(state);
        Some(committed)
    }
}

/// The integers of a twin's file, and of the meta record and the catalog in it, for tests that set each to its extremes.
#[cfg(feature = "planted-faults")]
pub(crate) fn file_fields(file: &[u8]) -> Vec<FileField> {
    let seal_file: Reseal = Rc::new(reseal_end);
    let mut fields = FileField::of_part("twin", integers_read(file, Committed::decode), &seal_file);
    let mut reader = ByteReader::new(file);
    reader.take(MAGIC.len());
    let mut next = || {
        let start = reader.position() + 4;
        block(&mut reader).map(|block| (start..start + block.len(), block))
    };
    let Some((meta, record)) = next() else { return fields };
    let places = integers_read(record, MetaRecord::decode);
    let places = places.into_iter().map(|place| place.start + meta.start..place.end + meta.start).collect();
    let seal_record: Reseal = Rc::new(move |file| {
        reseal_end(file.get_mut(meta.clone()).unwrap_or_default());
        reseal_end(file);
    });
    fields.extend(FileField::of_part("meta record", places, &seal_record));
    let (_, count) = (next(), next());
    let count = count.and_then(|(_, count)| count.try_into().ok()).map_or(0, u32::from_le_bytes);
    for _ in 0..count {
        let (Some((_, id)), Some((place, stored))) = (next(), next()) else { break };
        let Ok(id) = id.try_into().map(u32::from_le_bytes) else { break };
        let places = integers_read(stored, |stored| decode_entry(id, value::decode(&id.to_be_bytes(), stored)?));
        let places = places.into_iter().map(|field| field.start + place.start..field.end + place.start).collect();
        let seal_entry: Reseal = Rc::new(move |file| {
            if let Some(stored) = file.get_mut(place.clone()) {
                value::reseal(&id.to_be_bytes(), stored);
            }
            reseal_end(file);
        });
        fields.extend(FileField::of_part("catalog", places, &seal_entry));
    }
    fields
}

#[cfg(feature = "planted-faults")]
fn reseal_end(bytes: &mut [u8]) {
    if let Some((covered, crc)) = bytes.split_last_chunk_mut::<4>() {
        *crc = crc32c(covered).to_le_bytes();
    }
}

impl TwinCheckpoint {
    pub(crate) fn open(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self> {
        let path = dir.join("twin");
        let committed = match read_small_file(&*vfs, &path, LIMIT_BYTES)? {
            None => Committed::default(),
            Some(bytes) => Committed::decode(&bytes).ok_or_else(|| Error::corrupt(&path, 0, "the twin is damaged"))?,
        };
        Ok(Self { vfs, path, committed: Mutex::new(committed) })
    }

    fn commit(&self, next: Committed) -> Result<()> {
        write_atomically(&*self.vfs, &self.path, &next.encode())?;
        *self.committed.lock() = next;
        Ok(())
    }
}

impl Checkpoint for TwinCheckpoint {
    fn load(&self) -> Result<Loaded> {
        let committed = self.committed.lock();
        let meta = match &committed.meta {
            None => None,
            Some(record) => match MetaRecord::decode(record) {
                Ok(Some(meta)) => Some(meta),
                _ => return Err(Error::corrupt(&self.path, 0, "the meta record is damaged")),
            },
        };
        let entry = |(id, stored): (&u32, &Vec<u8>)| decode_entry(*id, value::decode(&id.to_be_bytes(), stored)?);
        let catalog = committed.catalog.iter().filter_map(entry).collect();
        Ok(Loaded { meta, unfinished_seq: committed.unfinished_seq, catalog })
    }

    fn begin(&self) -> Result<Box<dyn CheckpointRead>> {
        Ok(Box::new(TwinRead { state: Arc::clone(&self.committed.lock().state), path: self.path.clone() }))
    }

    fn write(&self, batch: &Batch<'_>, at: &dyn Fn(Part)) -> Result<()> {
        let mut pending = self.committed.lock().clone();
        let (mut operations, mut parts) = (0, 0);
        if planted(PlantedFault::MetaInFirstPart) {
            pending.meta = Some(batch.meta.encode());
        }
        for op in batch.delta.net().ops().filter(|op| !batch.dropped.contains(&op.collection)) {
            if operations == PART_OPERATIONS {
                if !planted(PlantedFault::FlushNotWitnessed) {
                    pending.unfinished_seq = batch.meta.applied_seq;
                }
                self.commit(pending.clone())?;
                at(Part::State(parts));
                (operations, parts) = (0, parts + 1);
            }
            operations += 1;
            let state = Arc::make_mut(&mut pending.state);
            let key = full_key(op.collection, op.key);
            match op.value {
                Some(value) => {
                    let mut stored = Vec::new();
                    value::encode(&mut stored, &key, op.seq, value);
                    state.insert(key, stored);
                }
                None => {
                    state.remove(&key);
                }
            }
        }
        for entry in &batch.catalog {
            let mut stored = Vec::new();
            value::encode(&mut stored, &entry.id.to_be_bytes(), 0, &encode_entry(entry));
            pending.catalog.insert(entry.id, stored);
        }
        pending.meta = Some(batch.meta.encode());
        pending.unfinished_seq = 0;
        self.commit(pending)?;
        at(Part::Last);
        Ok(())
    }

    fn fill(&self, entries: &Filling) -> Result<()> {
        let mut next = self.committed.lock().clone();
        let state = Arc::make_mut(&mut next.state);
        state.extend(entries.entries().map(|(key, stored)| (key.to_vec(), stored.to_vec())));
        self.commit(next)
    }

    fn purge(&self, collection: u32) -> Result<bool> {
        let mut next = self.committed.lock().clone();
        let id = collection.to_be_bytes();
        let keys: Vec<_> =
            next.state.keys().filter(|key| key.starts_with(&id)).take(PART_OPERATIONS).cloned().collect();
        let state = Arc::make_mut(&mut next.state);
        for key in &keys {
            state.remove(key);
        }
        let more = keys.len() == PART_OPERATIONS;
        if !more {
            next.catalog.remove(&collection);
        }
        self.commit(next)?;
        Ok(more)
    }

    fn can_retry(&self, error: &Error) -> bool {
        // A failed flush is never repeated, whatever its code (I5).
        let (Error::NoSpace(failure) | Error::Io(failure)) = error else { return false };
        failure.can_heal() && !matches!(failure.syscall, "fsync" | "fdatasync")
    }

    fn verify(&self, report: &mut Report, _cancelled: &dyn Fn() -> bool) -> Result<()> {
        let problem =
            |kind, message: &str| Problem { kind, file: self.path.clone(), offset: Some(0), what: message.to_owned() };
        let committed = match read_small_file(&*self.vfs, &self.path, LIMIT_BYTES) {
            Ok(None) => {
                if self.committed.lock().meta.is_some() {
                    report.problem(problem(ProblemKind::Missing, "the twin is missing"));
                }
                return Ok(());
            }
            Ok(Some(bytes)) => {
                report.checked.files += 1;
                report.checked.bytes += bytes.len() as u64;
                Committed::decode(&bytes)
            }
            Err(error) => {
                report.problem(problem(ProblemKind::Io, &error.to_string()));
                return Ok(());
            }
        };
        let Some(committed) = committed else {
            report.problem(problem(ProblemKind::Checksum, "the twin is damaged"));
            return Ok(());
        };
        report.checked.entries += (committed.state.len() + committed.catalog.len()) as u64;
        let is_sound = |(key, stored): (&Vec<u8>, &Vec<u8>)| value::decode(key, stored).is_some();
        if !committed.state.iter().all(is_sound) {
            report.problem(problem(ProblemKind::Checksum, "a stored value is damaged"));
        }
        let is_sound = |(id, stored): (&u32, &Vec<u8>)| value::decode(&id.to_be_bytes(), stored).is_some();
        if !committed.catalog.iter().all(is_sound) {
            report.problem(problem(ProblemKind::Checksum, "a catalogue entry is damaged"));
        }
        if let Some(record) = &committed.meta {
            report.checked.entries += 1;
            if !matches!(MetaRecord::decode(record), Ok(Some(_))) {
                report.problem(problem(ProblemKind::Checksum, "the meta record of the state is damaged"));
            }
        }
        Ok(())
    }

    fn size(&self) -> CheckpointSize {
        CheckpointSize::default()
    }

    fn close(&self) {}
}

#[derive(Debug)]
struct TwinRead {
    state: Arc<Entries>,
    path: PathBuf,
}

impl TwinRead {
    fn checked<'a>(&self, key: &[u8], stored: &'a [u8]) -> Result<&'a [u8]> {
        value::decode(key, stored).ok_or_else(|| Error::corrupt(&self.path, 0, "a stored value is damaged"))
    }
}

impl CheckpointRead for TwinRead {
    fn expect(&self, _: &[&[u8]], _: &mut [Option<Place>]) {}

    fn get(&self, key: &[u8], _: Option<Place>, take: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let Some(stored) = self.state.get(key) else { return Ok(false) };
        take(self.checked(key, stored)?);
        Ok(true)
    }

    fn divide(&self, parts: usize) -> Vec<Vec<u8>> {
        evenly(self.state.keys().skip(1).cloned().collect(), parts)
    }

    fn scan(&self, bounds: (Bound<&[u8]>, Bound<&[u8]>), reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        let entries = self.state.range::<[u8], _>(bounds);
        let mut show = |(key, stored): (&Vec<u8>, &Vec<u8>)| Ok(visit(key, self.checked(key, stored)?));
        let mut each: Box<dyn Iterator<Item = _>> = if reverse { Box::new(entries.rev()) } else { Box::new(entries) };
        each.try_for_each(|entry| match show(entry) {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
            Ok(ControlFlow::Break(())) => ControlFlow::Break(Ok(())),
            Err(error) => ControlFlow::Break(Err(error)),
        })
        .break_value()
        .unwrap_or(Ok(()))
    }
}
