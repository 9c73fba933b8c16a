//! The collections, each from the commit that made it to the one that dropped it. Changed in place, only under the commit lock.
//! The cost of a change, a flush or a look-up depends on what changed, not on the number of collections. Ids are never reused.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::RwLock;

use crate::{Error, error::Result};

/// The highest id that a collection can have.
pub(crate) const MAX_COLLECTION_ID: u32 = u32::MAX - 1;
/// The collection that every store has, with the codecs utf8 and json.
pub const STATE_COLLECTION: &str = "state";
pub(crate) const STATE_ID: u32 = 1;
/// The longest name of a collection or a codec, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 255;

/// One collection and its lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CatalogEntry {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) key_codec: String,
    pub(crate) value_codec: String,
    /// The commit that made it.
    pub(crate) created_seq: u64,
    /// The commit that dropped it; 0 while it exists.
    pub(crate) dropped_seq: u64,
}

impl CatalogEntry {
    fn lives_at(&self, seq: u64) -> bool {
        self.created_seq <= seq && (self.dropped_seq == 0 || seq < self.dropped_seq)
    }

    /// Codecs without names match any: enough to drop a collection.
    pub(crate) fn check_codecs(&self, key_codec: &str, value_codec: &str) -> Result<()> {
        let unnamed = key_codec.is_empty() && value_codec.is_empty();
        let pairs = [(&self.key_codec, key_codec), (&self.value_codec, value_codec)];
        match pairs.into_iter().find(|(stored, given)| stored != given) {
            Some((stored, given)) if !unnamed => Err(Error::CodecMismatch {
                collection: Some(self.name.clone()),
                expected: stored.clone(),
                actual: given.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// The commit that dropped a collection, and its id.
pub(crate) type DropOrder = (u64, u32);

/// Dropped collections of which the checkpoint has nothing left, though a reader may still look one up.
#[derive(Debug, Default)]
pub(crate) struct Purged {
    /// All that were dropped up to this one: they are cleared in that order.
    pub(crate) upto: DropOrder,
    /// Collections dropped after it that the checkpoint never had: made and dropped between two flushes.
    pub(crate) fleeting: BTreeSet<DropOrder>,
}

/// All collections, including dropped ones that a reader could still look up.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) version: u32,
    pub(crate) next_id: u32,
    entries: HashMap<u32, Arc<CatalogEntry>>,
    /// The existing ones by name.
    living: HashMap<String, u32>,
    /// In the order of dropping.
    dropped: BTreeSet<DropOrder>,
    /// Made or dropped since the last flush took them.
    changed: BTreeSet<u32>,
}

impl Catalog {
    /// A catalogue with `state` and the collections of the checkpoint.
    pub(crate) fn new(stored: Vec<CatalogEntry>, next_id: u32) -> Self {
        let state = CatalogEntry {
            id: STATE_ID,
            name: STATE_COLLECTION.to_owned(),
            key_codec: "utf8".to_owned(),
            value_codec: "json".to_owned(),
            created_seq: 0,
            dropped_seq: 0,
        };
        let mut catalog = Self {
            version: 1,
            next_id: next_id.max(STATE_ID + 1),
            entries: HashMap::new(),
            living: HashMap::new(),
            dropped: BTreeSet::new(),
            changed: BTreeSet::new(),
        };
        for entry in std::iter::once(state).chain(stored) {
            catalog.insert(entry);
        }
        catalog
    }

    fn insert(&mut self, entry: CatalogEntry) {
        self.next_id = self.next_id.max(entry.id.saturating_add(1));
        if entry.dropped_seq == 0 {
            self.living.insert(entry.name.clone(), entry.id);
        } else {
            self.dropped.insert((entry.dropped_seq, entry.id));
        }
        self.entries.insert(entry.id, Arc::new(entry));
    }

    pub(crate) fn living(&self, name: &str) -> Option<&Arc<CatalogEntry>> {
        self.entries.get(self.living.get(name)?)
    }

    pub(crate) fn at(&self, name: &str, seq: u64) -> Option<&Arc<CatalogEntry>> {
        match self.living(name) {
            Some(entry) if entry.created_seq <= seq => Some(entry),
            _ => self.dropped().find(|entry| entry.name == name && entry.lives_at(seq)),
        }
    }

    /// All but `state` that live at `seq`, by id.
    pub(crate) fn all_at(&self, seq: u64) -> Vec<Arc<CatalogEntry>> {
        let living = self.entries.values().filter(|entry| entry.id != STATE_ID && entry.lives_at(seq));
        let mut all: Vec<_> = living.cloned().collect();
        all.sort_unstable_by_key(|entry| entry.id);
        all
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.living.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The ids of all known collections.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.entries.keys().copied()
    }

    /// The dropped collections of which something may be left.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = &Arc<CatalogEntry>> {
        self.dropped.iter().filter_map(|(_, id)| self.entries.get(id))
    }

    /// The earliest dropped of the known collections.
    pub(crate) fn first_dropped(&self) -> Option<DropOrder> {
        self.dropped.first().copied()
    }

    /// The first one that was dropped after `purged` and up to `flushed_seq`.
    pub(crate) fn next_dropped(&self, purged: DropOrder, flushed_seq: u64) -> Option<DropOrder> {
        let next = self.dropped.range((Bound::Excluded(purged), Bound::Unbounded)).next();
        next.copied().filter(|(dropped_seq, _)| *dropped_seq <= flushed_seq)
    }

    pub(crate) fn create(&mut self, entry: CatalogEntry) {
        self.version = self.version.wrapping_add(1);
        self.changed.insert(entry.id);
        self.insert(entry);
    }

    /// Drops the collection `id` with the commit `seq`.
    pub(crate) fn drop_at(&mut self, id: u32, seq: u64) {
        self.version = self.version.wrapping_add(1);
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.dropped_seq == 0) {
            self.living.remove(&entry.name);
            *entry = Arc::new(CatalogEntry { dropped_seq: seq, ..(**entry).clone() });
            self.dropped.insert((seq, id));
            self.changed.insert(id);
        }
    }

    /// The changes that a flush has to store: taken once, by the freeze before it.
    pub(crate) fn take_changed(&mut self) -> Vec<Arc<CatalogEntry>> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().filter_map(|id| self.entries.get(id).cloned()).collect()
    }

    /// Forgets the collections up to `purged`, of which nothing is left, unless a reader's point in time is in their lifetime:
    /// `oldest_seq` is the oldest point in time of a reader. Returns how many were examined.
    pub(crate) fn forget_purged(&mut self, purged: DropOrder, oldest_seq: Option<u64>) -> u64 {
        let mut looked_at = 0;
        while let Some(first) = self.first_dropped() {
            looked_at += 1;
            if first > purged || oldest_seq.is_some_and(|seq| first.0 > seq) {
                break;
            }
            self.dropped.remove(&first);
            self.entries.remove(&first.1);
        }
        looked_at
    }
}

/// The catalogue of an open store, shared by all its threads.
#[derive(Debug)]
pub(crate) struct SharedCatalog {
    current: RwLock<Catalog>,
    version: AtomicU64,
}

impl SharedCatalog {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { version: AtomicU64::new(u64::from(catalog.version)), current: RwLock::new(catalog) }
    }

    /// Looks something up. For the owner of the gate the result stays the same until it releases the gate.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&Catalog) -> R) -> R {
        look(&self.current.read())
    }

    /// The version of the catalogue, without locking it.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Called under the commit lock.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Catalog) -> R) -> R {
        let mut catalog = self.current.write();
        let changed = change(&mut catalog);
        self.version.store(u64::from(catalog.version), Ordering::Release);
        changed
    }
}

/// A collection as a caller names it: by name and codecs. Making one stores nothing; the id is looked up at its use and cached
/// as long as the catalogue does not change.
#[derive(Debug)]
pub struct CollectionRef {
    pub(crate) name: String,
    pub(crate) key_codec: String,
    pub(crate) value_codec: String,
    /// Catalogue version in the upper half, id in the lower (0: it does not exist).
    cached: AtomicU64,
}

impl CollectionRef {
    pub(crate) fn new(catalog: &SharedCatalog, name: &str, key_codec: &str, value_codec: &str) -> Result<Self> {
        let unnamed = key_codec.is_empty() && value_codec.is_empty();
        for (argument, text) in [("name", name), ("codecs.key", key_codec), ("codecs.value", value_codec)] {
            let may_be_empty = unnamed && argument != "name";
            if (text.is_empty() && !may_be_empty) || text.len() > MAX_NAME_BYTES {
                let message = format!("a name is 1 to {MAX_NAME_BYTES} bytes long: argument={argument}");
                return Err(Error::InvalidArgument { argument, message });
            }
        }
        let made = Self {
            name: name.to_owned(),
            key_codec: key_codec.to_owned(),
            value_codec: value_codec.to_owned(),
            cached: AtomicU64::new(0),
        };
        made.id_now(catalog)?;
        Ok(made)
    }

    /// The collection's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the existing collection, if there is one.
    pub(crate) fn id_now(&self, catalog: &SharedCatalog) -> Result<Option<u32>> {
        let id = match self.id_in(catalog.version()) {
            Some(id) => id,
            None => catalog.with(|current| self.look_up(current))?,
        };
        Ok((id != 0).then_some(id))
    }

    /// The id of the name at `seq`, when the catalogue had this `version`. Shares the cache with the current one, as long as
    /// they are the same.
    pub(crate) fn id_at(&self, catalog: &SharedCatalog, version: u64, seq: u64) -> Result<Option<u32>> {
        if let Some(id) = self.id_in(version) {
            return Ok((id != 0).then_some(id));
        }
        catalog.with(|current| {
            if u64::from(current.version) == version {
                let id = self.look_up(current)?;
                return Ok((id != 0).then_some(id));
            }
            let Some(entry) = current.at(&self.name, seq) else { return Ok(None) };
            entry.check_codecs(&self.key_codec, &self.value_codec)?;
            Ok(Some(entry.id))
        })
    }

    /// The cached id, if it is from the catalogue of this version; 0: there is no such collection.
    fn id_in(&self, version: u64) -> Option<u32> {
        let cached = self.cached.load(Ordering::Acquire);
        (cached >> 32 == version).then(|| u32::try_from(cached & 0xffff_ffff).unwrap_or(0))
    }

    /// The existing collection's id, which is cached; 0: there is none.
    fn look_up(&self, current: &Catalog) -> Result<u32> {
        let id = match current.living(&self.name) {
            Some(entry) => {
                entry.check_codecs(&self.key_codec, &self.value_codec)?;
                entry.id
            }
            None => 0,
        };
        self.cached.store((u64::from(current.version) << 32) | u64::from(id), Ordering::Release);
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ledgerstone_vfs::sim::{SimClock, SimDisk};

    use super::{Catalog, CatalogEntry, MAX_COLLECTION_ID};
    use crate::{
        GateEntry, OpenOptions, Owner,
        testing::{WriteSet, open_simulated},
    };

    /// Bug: while an old snapshot was held, each slice of clearing up after dropped collections examined all of them, under the
    /// commit lock. Mechanism: they were kept by id, and finished ones were searched among all. Fix: they are kept in the order
    /// of dropping, and cleared and forgotten in it, so the first one answers for those after it.
    #[test]
    fn what_an_old_reader_keeps_costs_one_look() {
        let mut catalog = Catalog::new(Vec::new(), 0);
        for id in 2..5_000 {
            let name = format!("collection {id}");
            let (key_codec, value_codec) = ("utf8".to_owned(), "json".to_owned());
            catalog.create(CatalogEntry { id, name, key_codec, value_codec, created_seq: 1, dropped_seq: 0 });
        }
        // Not in the order of their ids.
        for (seq, id) in (10..).zip((2..5_000).rev()) {
            catalog.drop_at(id, seq);
        }
        assert_eq!(catalog.next_dropped((0, 0), 9), None);
        assert_eq!(catalog.next_dropped((0, 0), 5_000), Some((10, 4_999)));
        assert_eq!(catalog.next_dropped((2_000, 3_009), 5_000), Some((2_001, 3_008)));
        assert_eq!(catalog.next_dropped((5_000, u32::MAX), 5_000), None);
        assert_eq!(catalog.forget_purged((2_000, 3_009), Some(9)), 1);
        assert_eq!(catalog.dropped().count(), 4_998);
        assert_eq!(catalog.forget_purged((2_000, 3_009), Some(1_009)), 1_001);
        assert_eq!(catalog.forget_purged((2_000, 3_009), None), 992);
        assert_eq!(catalog.dropped().next().map(|entry| entry.id), Some(3_008));
        assert_eq!(catalog.ids().count(), 4_998 - 1_991 + 1);
    }

    /// Bug: after the last id two collections would have had the same one, and puts to a third were silently left out.
    /// Mechanism: the next id stayed where it was. Fix: the ids end, with an error before anything is written.
    #[test]
    fn where_ids_end_no_collection_is_made_and_no_put_is_lost() {
        let (disk, clock) = (SimDisk::new(1), SimClock::new(1_000));
        let store = open_simulated(&disk, &clock, Path::new("/store"), &OpenOptions::default()).unwrap();
        store.catalog.change(|catalog| catalog.next_id = MAX_COLLECTION_ID);
        let put = |names: &[&str]| {
            let slots: Vec<_> = names.iter().map(|name| store.collection(name, "utf8", "json").unwrap()).collect();
            let set = (0..).zip(names).fold(WriteSet::default(), |set, (slot, _)| set.put(slot, b"key", b"1"));
            store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).map_err(|error| error.code())
        };
        assert_eq!(put(&["first", "second"]).unwrap_err(), "ERR_LIMIT");
        assert_eq!(put(&["last"]).unwrap().keys_written, 1);
        assert_eq!(put(&["another"]).unwrap_err(), "ERR_LIMIT");
        assert_eq!(put(&["last", "state"]).unwrap().keys_written, 2);
        assert_eq!(store.collections().unwrap(), ["last", "state"]);
    }
}
