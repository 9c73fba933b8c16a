//! A store whose files were damaged in any way, also by a liar who makes the checksums right.

use std::{
    ops::{Bound, ControlFlow},
    path::{Path, PathBuf},
    sync::Arc,
};

use arbitrary::{Result as Drawn, Unstructured};
use ledgerstone_canonical_store::{
    Direction, Fill, GateEntry, KeyBounds, Level, OpenOptions, Owner, Result, Store,
    testing::{WriteSet, close_stepped, file_fields, open_simulated, step_flusher, step_journal},
};
use ledgerstone_format::{FileField, compression::Compression};
use ledgerstone_vfs::{
    Vfs,
    sim::{SimClock, SimDisk},
};

use crate::{
    bounds::{check_effort, check_refusal, in_memory_of},
    seeds::noise,
};

const DIR: &str = "/store";
/// The simulated checkpoint. LMDB's file is the target `pages`; whether this one exists is no question of a format.
const TWIN: &str = "twin";
/// How far behind an integer a byte is changed.
const NEAR_BYTES: usize = 100;
/// What the sound store takes, opened twice.
const SOUND_BYTES: u64 = 8 << 20;

/// All that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) entries: Vec<(String, Vec<u8>, Vec<u8>)>,
    pub(crate) events: Vec<(u64, Vec<u8>)>,
}

impl Content {
    pub(crate) fn of(store: &Arc<Store>) -> Result<Self> {
        let mut content = Self::default();
        for name in &store.collections()? {
            let slot = store.collection(name, "utf8", "json")?;
            let bounds = KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse: false, limit: None };
            let mut cursor = store.range(&slot, bounds)?;
            while !cursor.fill(&mut |key, value| {
                content.entries.push((name.clone(), key.to_vec(), value.to_vec()));
                Fill::Taken
            })? {}
        }
        store.read_events(0, u64::MAX, Direction::Forward, &mut |id, _, bytes| {
            content.events.push((id, bytes.to_vec()));
            ControlFlow::Continue(())
        })?;
        Ok(content)
    }
}

fn open(disk: &SimDisk) -> Result<Arc<Store>> {
    let options = OpenOptions {
        segment_bytes: Some(64 << 10),
        flush_bytes: Some(64 << 10),
        event_compression: Some(Compression::Lz4),
        ..OpenOptions::default()
    };
    open_simulated(disk, &SimClock::new(5_000), Path::new(DIR), &options)
}

fn commit(store: &Store, set: &WriteSet) -> Result<()> {
    let slots = [store.collection("state", "utf8", "json")?, store.collection("others", "utf8", "json")?];
    store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).map(drop)
}

fn flush(store: &Store) {
    store.want(Level::Flushed, store.marks().applied);
    step_flusher(store);
}

/// A sound store, what may be served of it when it is damaged, and the places of its integers.
struct Sound {
    disk: SimDisk,
    contents: Vec<Content>,
    files: Vec<(PathBuf, Vec<FileField>)>,
}

thread_local! {
    static SOUND: [Sound; 2] = [Sound::new(false), Sound::new(true)];
}

impl Sound {
    /// Two segments of events, a horizon, a checkpoint with two collections, commits that no flush has taken; closed or killed.
    fn new(is_closed: bool) -> Self {
        let disk = SimDisk::new(1);
        let store = open(&disk).unwrap();
        for n in 0..6_u8 {
            let set = WriteSet::default().put(0, &[b'k', n], &[n; 40]).put(1, &[n], b"1").delete(1, &[n / 2]);
            let set = set.event(&[n; 300]).event(&[n; 300]).event(&noise(u64::from(n), 15_000));
            commit(&store, &set).unwrap();
            flush(&store);
        }
        store.trim_events(9).unwrap();
        flush(&store);
        store.free_trimmed(9).unwrap();
        let mut contents = vec![Content::of(&store).unwrap()];
        for n in 0..2_u8 {
            commit(&store, &WriteSet::default().put(0, &[b'l', n], &[n; 40]).event(&[n; 20]).event(b"")).unwrap();
            while step_journal(&store).unwrap() {}
            contents.push(Content::of(&store).unwrap());
        }
        if is_closed {
            close_stepped(&store).unwrap();
        }
        let disk = disk.crash();
        let fields = |path: PathBuf| {
            let fields = file_fields(&path, &disk.read_file(&path).unwrap());
            (path, fields)
        };
        let files = disk.list().into_iter().map(fields).collect();
        Self { disk, contents, files }
    }

    /// A damaged copy, and whether a checksum was made right in it. Nothing is drawn twice.
    fn damaged(&self, from: &mut Unstructured<'_>) -> (SimDisk, bool) {
        let (disk, mut vouched) = (self.disk.crash(), false);
        for _ in 0..from.int_in_range(1..=4).unwrap_or(1) {
            vouched |= self.damage(&disk, from).unwrap_or_default();
        }
        (disk, vouched)
    }

    /// One more damage; whether it lies.
    fn damage(&self, disk: &SimDisk, from: &mut Unstructured<'_>) -> Drawn<bool> {
        let (path, fields) = from.choose(&self.files)?;
        let Some(mut file) = disk.read_file(path) else { return Ok(false) };
        let at = |from: &mut Unstructured<'_>, len: usize| from.int_in_range(0..=len.saturating_sub(1));
        let mut vouched = false;
        match from.int_in_range(0..=9)? {
            0 => file.truncate(at(from, file.len())?),
            1 => file.extend_from_slice(from.bytes(from.len().min(300))?),
            2 => {
                let sector = at(from, file.len())? & !511;
                let end = (sector + 512).min(file.len());
                file[sector..end].fill(0);
            }
            3 if !path.ends_with(TWIN) => {
                disk.remove_file(path).unwrap();
                return Ok(false);
            }
            4 if !path.ends_with(TWIN) => {
                let (other, _) = from.choose(&self.files)?;
                file = self.disk.read_file(other).unwrap();
            }
            5 | 6 => {
                for _ in 0..from.int_in_range(1..=8)? {
                    // Mostly behind an integer: what lies between parts is zeros.
                    let place = if fields.is_empty() || from.ratio(1, 4)? {
                        at(from, file.len())?
                    } else {
                        from.choose(fields)?.place.start + at(from, NEAR_BYTES)?
                    };
                    if let Some(byte) = file.get_mut(place) {
                        *byte ^= from.arbitrary::<u8>()?;
                    }
                }
            }
            _ if fields.is_empty() => {}
            _ => {
                let field = from.choose(fields)?;
                let value = match from.int_in_range(0..=3)? {
                    0 => from.arbitrary()?,
                    1 => field.get(&file).wrapping_add(from.int_in_range(0..=16)?).wrapping_sub(8),
                    _ => *from.choose(&field.extremes(&file))?,
                };
                field.set(&mut file, value);
                vouched = from.ratio(2, 3)?;
                if vouched {
                    field.reseal(&mut file);
                }
            }
        }
        disk.write_file(path, &file);
        Ok(vouched)
    }
}

/// Opens, verifies, reads, writes on, closes, opens again. What was read first.
fn used(disk: &SimDisk) -> Result<Content> {
    let store = open(disk)?;
    store.verify(&|| false)?;
    let read = Content::of(&store)?;
    commit(&store, &WriteSet::default().put(0, b"more", b"1").event(b"more"))?;
    let more = Content::of(&store)?;
    close_stepped(&store)?;
    drop(store);
    let store = open(&disk.crash())?;
    assert_eq!(Content::of(&store)?, more, "closing and opening has changed what is there");
    close_stepped(&store)?;
    Ok(read)
}

/// What a liar can have said with right checksums.
const OF_LIES: [&str; 3] = ["ERR_CODEC_MISMATCH", "ERR_LIMIT", "ERR_SEALED"];

/// Some damages to a store that was closed or killed.
pub(crate) fn damaged(bytes: &[u8]) {
    let mut from = Unstructured::new(bytes);
    let which = usize::from(from.arbitrary::<bool>().unwrap_or_default());
    SOUND.with(|sound| {
        let sound = &sound[which];
        let (disk, vouched) = sound.damaged(&mut from);
        let input_bytes = bytes.len() + usize::try_from(disk.used_bytes()).unwrap();
        in_memory_of(input_bytes, SOUND_BYTES, || match used(&disk) {
            Ok(content) => {
                assert!(vouched || sound.contents.contains(&content), "it is served, and is not what was written");
            }
            Err(error) => check_refusal(error.code(), &error, if vouched { &OF_LIES } else { &[] }),
        });
        check_effort(&disk, input_bytes);
    });
}
