//! Bits that rot between two openings. Tested on copies, so that the life continues undamaged: the opening, every reader and a
//! further commit must return correct data or `ERR_CORRUPT` or `ERR_FORMAT`, and a refused opening changes nothing (I6, I10).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledgerstone_canonical_store::{CollectionRef, Error, GateEntry, RetentionPolicy, Store, testing};
use ledgerstone_vfs::{
    OpenHow, Vfs,
    sim::{SimDisk, Stranger},
};

use super::{
    history::{Change, NAMES, codecs, write_set},
    reading::{Check, Source, Stop, check_all, ensure},
    sessions::PATH,
    world::World,
};

fn is_told(error: &Error) -> bool {
    let error = error.cause().unwrap_or(error);
    matches!(error.code(), "ERR_CORRUPT" | "ERR_FORMAT")
}

/// The files that a refused opening may not change: everything except the hint of the lock's owner.
fn files_of(disk: &SimDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = disk.list().into_iter().filter(|path| !path.ends_with("LOCK.owner") && !path.ends_with("LOCK"));
    paths.filter_map(|path| disk.read_file(&path).map(|bytes| (path, bytes))).collect()
}

/// What an interrupted flush up to `seq` depends on: the page of the journal that begins with the last frame up to there.
fn last_group(files: &[(PathBuf, Vec<u8>)], seq: u64) -> Option<(PathBuf, u64)> {
    let journals = files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "wal"));
    let pages = journals.flat_map(|(path, bytes)| {
        (1..bytes.len() / 4096).map(move |page| {
            let at = page * 4096 + 16;
            (u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()), path, page as u64 * 4096)
        })
    });
    let last = pages.filter(|(found, ..)| (1..=seq).contains(found)).max_by_key(|(found, ..)| *found);
    last.map(|(_, path, page)| (path.clone(), page))
}

fn slots(store: &Store) -> Result<Vec<Arc<CollectionRef>>, Error> {
    let collection = |(slot, name): (usize, &&str)| store.collection(name, codecs(slot).0, codecs(slot).1);
    NAMES.iter().enumerate().map(collection).collect()
}

impl World {
    /// A byte of a file with content; mostly one that is not zero.
    fn draw_place(&mut self, disk: &SimDisk) -> Option<(PathBuf, u64)> {
        let held: Vec<_> =
            files_of(disk).into_iter().filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0)).collect();
        if let Some(unfinished) = self.unfinished
            && self.chance.one_in(2)
            && let Some((path, page)) = last_group(&held, unfinished)
        {
            return Some((path, page + self.chance.below(120)));
        }
        if held.is_empty() {
            return None;
        }
        let (path, bytes) = self.chance.pick(&held).clone();
        let from = usize::try_from(self.chance.below(bytes.len() as u64)).unwrap();
        let written = bytes[from..].iter().position(|byte| *byte != 0).map_or(from, |ahead| from + ahead);
        Some((path, if self.chance.one_in(8) { from as u64 } else { written as u64 }))
    }

    /// The fewest commits that an opening may show after one bit has flipped in `file`: those that later frames, the checkpoint
    /// or the mark of a clean close prove. The last group has no witness.
    fn vouched(&self, file: &Path) -> u64 {
        if self.closed_clean && !file.ends_with("CLEAN") {
            return self.written_floor;
        }
        let promised = self.history.durable_before(self.written_floor).max(self.flushed_floor);
        // The first part of a flush records how far it goes.
        promised.max(self.unfinished.unwrap_or_default())
    }

    pub(super) fn look_at_damage(&mut self) -> Check {
        for _ in 0..=self.chance.below(3) {
            let disk = self.disk.crash();
            let Some((path, offset)) = self.draw_place(&disk) else { return Ok(()) };
            let bit = self.chance.below(8);
            assert!(disk.flip(&path, offset, 1 << bit));
            let kind = path.file_name().map_or_else(String::new, |name| {
                let name = name.to_string_lossy().into_owned();
                name.split(['-', '.']).next().unwrap_or_default().to_owned()
            });
            self.census.one(format!("flipped bit: {kind}"));
            self.tell(|| format!("a copy with bit {bit} of byte {offset} of {} flipped", path.display()));
            let before = files_of(&disk);
            let looked = match self.open_store(&disk, RetentionPolicy::default()) {
                Ok(store) => self.look_at(&store, &disk, &path),
                Err(error) if is_told(&error) => {
                    self.census.one("flipped bit: refused by the opening");
                    ensure(files_of(&disk) == before, || format!("an opening that was refused changed files: {error}"))
                }
                Err(error) => Err(error.into()),
            };
            looked.map_err(|stop| {
                Stop::Wrong(format!("with bit {bit} of byte {offset} of {} flipped: {}", path.display(), stop.text()))
            })?;
        }
        Ok(())
    }

    /// A link, a queue or a folder in place of one of our files, or of one in the making: an opening is refused and changes
    /// nothing, or does not need the name and leaves it alone. On a copy.
    pub(super) fn look_at_strangers(&mut self) -> Check {
        let disk = self.disk.crash();
        let names =
            ["CLEAN", "CLEAN.tmp", "journal/journal-spare.tmp", "journal/journal-tail.tmp", "events/horizon.tmp"];
        let folder_is_there = disk.read_file(Path::new(PATH).join("IDENTITY")).is_some();
        let files: Vec<_> = if self.chance.one_in(4) && folder_is_there {
            names.iter().map(|name| Path::new(PATH).join(name)).collect()
        } else {
            disk.list().into_iter().filter(|path| path.starts_with(PATH)).collect()
        };
        if files.is_empty() {
            return Ok(());
        }
        let path = self.chance.pick(&files).clone();
        let stranger = *self.chance.pick(&[Stranger::Link, Stranger::Fifo, Stranger::Folder]);
        disk.put_stranger(&path, stranger);
        self.census.one(format!("stranger: {stranger:?}"));
        self.tell(|| format!("a copy with {stranger:?} at {}", path.display()));
        let before = files_of(&disk);
        let looked = match self.open_store(&disk, RetentionPolicy::default()) {
            Ok(store) => {
                self.census.one("stranger: passed over");
                self.look_at(&store, &disk, &path)
            }
            Err(error) if is_told(&error) => {
                self.census.one("stranger: refused by the opening");
                ensure(files_of(&disk) == before, || format!("an opening that was refused changed files: {error}"))
            }
            Err(error) => Err(error.into()),
        };
        looked.map_err(|stop| Stop::Wrong(format!("with {stranger:?} at {}: {}", path.display(), stop.text())))?;
        let found = disk.open(&path, OpenHow::Read).map(drop).err();
        ensure(found.is_some_and(|error| error.as_foreign().is_some()), || format!("it is gone: {}", path.display()))
    }

    fn look_at(&mut self, store: &Arc<Store>, disk: &SimDisk, file: &Path) -> Check {
        let (seq, vouched, known) = (store.marks().applied, self.vouched(file), self.history.seq());
        ensure((vouched..=known).contains(&seq), || format!("recovered={seq} vouched={vouched} known={known}"))?;
        self.census.one(if seq < self.written_floor { "flipped bit: a torn tail" } else { "flipped bit: harmless" });
        let (mut image, slots) = ((*self.history.at(seq)).clone(), slots(store)?);
        let (oldest, known) = (store.oldest_event_id(), self.history.now().oldest);
        // If the journal lost the trim, the horizon file may still have it.
        ensure((image.oldest..=known.min(image.next_event_id())).contains(&oldest), || {
            format!("the oldest event is {oldest}, expected {} to {known}", image.oldest)
        })?;
        image.oldest = oldest;
        ensure(store.sealed() == image.sealed, || {
            format!("sealed at {:?}, expected {:?}", store.sealed(), image.sealed)
        })?;
        let cache = store.new_read_cache();
        let seen = check_all(&Source::Now(store, &cache), &slots, &image, &mut self.chance);
        if self.is_told(seen)? {
            return Ok(());
        }
        // The data shown can be built on.
        let set = write_set(&[Change::Event(b"after the damage".to_vec())]);
        let unsealed = if image.sealed.is_some() { store.unseal().map(|done| done.seq) } else { Ok(seq) };
        let seq = match unsealed {
            Ok(unsealed) => unsealed,
            Err(error) if is_told(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let built = store.commit(self.owner, GateEntry::Blind, set.bytes(), &slots).map(|info| info.seq);
        let built = built.and_then(|built| testing::close_stepped(store).map(|()| built));
        match built {
            Ok(built) => ensure(built == seq + 1, || format!("a commit behind {seq} became {built}"))?,
            Err(error) if is_told(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        match self.open_store(&disk.crash(), RetentionPolicy::default()) {
            Ok(again) => ensure(again.marks().applied == seq + 1, || {
                format!("built on {seq}: {} after reopening", again.marks().applied)
            }),
            Err(error) if is_told(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a reader reported the damage.
    fn is_told(&mut self, seen: Check) -> Check<bool> {
        match seen {
            Ok(()) => Ok(false),
            Err(Stop::Failed(error)) if is_told(&error) => {
                self.census.one("flipped bit: told by a reader");
                Ok(true)
            }
            Err(stop) => Err(stop),
        }
    }
}
