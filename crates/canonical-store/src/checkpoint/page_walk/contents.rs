//! Checks the entries of each tree: whether they are valid, and as they were written.

use ledgerstone_format::ByteReader;

use super::{Data, FreePages, TreeRecord};
use crate::{
    catalog::STATE_ID,
    checkpoint::{
        batch::{META_KEY, decode_entry},
        unfinished_flush::{self, UNFINISHED_KEY},
        value,
    },
    meta::MetaRecord,
    verify::ProblemKind,
};

/// Why an entry is not as it was written.
pub(super) type Flaw = (ProblemKind, &'static str);

const WRONG_PLACE: Flaw = (ProblemKind::Structure, "an entry is not of the kind that its tree has");
const CHECKSUM: &str = "an entry does not have its checksum";

/// Receives a tree's entries: the beginning of each, its data in pieces, its end.
pub(super) trait Contents {
    fn begin(&mut self, key: &[u8], data: &Data<'_>);
    fn piece(&mut self, bytes: &[u8]);
    fn end(&mut self) -> Result<(), Flaw>;
}

/// The tree of free pages: by transaction, the pages that it freed, their count first.
pub(super) struct FreeLists {
    pub(super) pages: FreePages,
    /// The newest transaction that freed any pages.
    pub(super) newest: u64,
    /// The transaction of the checked state.
    transaction: u64,
    list: List,
}

/// The progress in the list of one transaction.
#[derive(Default)]
struct List {
    /// Its capacity.
    room: u64,
    count: Option<u64>,
    seen: u64,
    above: u64,
    flaw: Option<&'static str>,
}

impl FreeLists {
    pub(super) fn new(pages: FreePages, transaction: u64) -> Self {
        Self { pages, newest: 0, transaction, list: List::default() }
    }

    fn id(&mut self, word: u64) -> Option<&'static str> {
        let Some(count) = self.list.count else {
            self.list.count = Some(word);
            // LMDB reserves space that it may leave empty.
            return (word != self.list.room && word != 0).then_some("a list of free pages has a wrong length");
        };
        if self.list.seen == count {
            return None;
        }
        self.list.seen += 1;
        if word >= self.list.above {
            return Some("a list of free pages is not in order");
        }
        self.list.above = word;
        (!self.pages.insert(word)).then_some("a page is freed twice, or cannot be")
    }
}

impl Contents for FreeLists {
    fn begin(&mut self, key: &[u8], data: &Data<'_>) {
        // Pages come in the order of the file, so the last list is not the newest one.
        let transaction = key.try_into().map_or(0, u64::from_le_bytes);
        self.newest = self.newest.max(transaction);
        let len = match data {
            Data::Here(ids) => ids.len() as u64,
            Data::Elsewhere { len, .. } => *len as u64,
            Data::Child(_) | Data::Tree(_) => 0,
        };
        let above = self.pages.last_page().saturating_add(1);
        self.list = List { room: (len / 8).saturating_sub(1), above, ..List::default() };
        if len < 8 || !len.is_multiple_of(8) {
            self.list.flaw = Some("a list of free pages has a wrong length");
        } else if !(1..=self.transaction).contains(&transaction) {
            self.list.flaw = Some("a list of free pages is of no transaction");
        }
    }

    fn piece(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8).filter_map(|word| word.try_into().ok().map(u64::from_le_bytes));
        while self.list.flaw.is_none() {
            let Some(word) = words.next() else { break };
            self.list.flaw = self.id(word);
        }
    }

    fn end(&mut self) -> Result<(), Flaw> {
        self.list.flaw.map_or(Ok(()), |flaw| Err((ProblemKind::Structure, flaw)))
    }
}

/// The main tree: the databases by name.
#[derive(Default)]
pub(super) struct Names {
    pub(super) found: Vec<(Vec<u8>, TreeRecord)>,
    name: Vec<u8>,
    record: Option<TreeRecord>,
}

impl Contents for Names {
    fn begin(&mut self, key: &[u8], data: &Data<'_>) {
        self.name = key.to_vec();
        let Data::Tree(record) = data else { return };
        let mut reader = ByteReader::new(record);
        self.record = TreeRecord::read(&mut reader).filter(|_| reader.remaining() == 0);
    }

    fn piece(&mut self, _bytes: &[u8]) {}

    fn end(&mut self) -> Result<(), Flaw> {
        let record = self.record.take().filter(|record| record.pad == 0 && record.flags == 0);
        let record = record.ok_or((ProblemKind::Structure, "the record of a database cannot be right"))?;
        self.found.push((std::mem::take(&mut self.name), record));
        Ok(())
    }
}

/// The database `state`.
#[derive(Default)]
pub(super) struct State {
    check: Option<value::Check>,
    is_key: bool,
}

impl Contents for State {
    fn begin(&mut self, key: &[u8], data: &Data<'_>) {
        // A collection's id, and at least one byte more.
        self.is_key = key.len() > 4;
        self.check = matches!(data, Data::Here(_) | Data::Elsewhere { .. }).then(|| value::Check::new(key));
    }

    fn piece(&mut self, bytes: &[u8]) {
        if let Some(check) = &mut self.check {
            check.update(bytes);
        }
    }

    fn end(&mut self) -> Result<(), Flaw> {
        match self.check.take() {
            None => Err(WRONG_PLACE),
            Some(check) if !check.is_right() => Err((ProblemKind::Checksum, CHECKSUM)),
            Some(_) if !self.is_key => Err(WRONG_PLACE),
            Some(_) => Ok(()),
        }
    }
}

/// The databases `catalog` and `meta`: small entries with more rules than the checksum.
pub(super) struct Small {
    is_known: fn(&[u8], &[u8]) -> bool,
    key: Vec<u8>,
    stored: Option<Vec<u8>>,
}

impl Small {
    pub(super) fn catalog() -> Self {
        Self { is_known: is_catalogue_entry, key: Vec::new(), stored: None }
    }

    pub(super) fn meta() -> Self {
        Self { is_known: is_meta_record, key: Vec::new(), stored: None }
    }
}

fn is_catalogue_entry(key: &[u8], bytes: &[u8]) -> bool {
    let id = key.try_into().map(u32::from_be_bytes).ok();
    id.filter(|id| *id > STATE_ID).and_then(|id| decode_entry(id, bytes)).is_some()
}

fn is_meta_record(key: &[u8], bytes: &[u8]) -> bool {
    // A record of a higher version is refused elsewhere.
    match key {
        META_KEY => !matches!(MetaRecord::decode(bytes), Ok(None)),
        UNFINISHED_KEY => !matches!(unfinished_flush::decode(bytes), Ok(None)),
        _ => false,
    }
}

impl Contents for Small {
    fn begin(&mut self, key: &[u8], data: &Data<'_>) {
        self.key = key.to_vec();
        self.stored = matches!(data, Data::Here(_)).then(Vec::new);
    }

    fn piece(&mut self, bytes: &[u8]) {
        if let Some(stored) = &mut self.stored {
            stored.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) -> Result<(), Flaw> {
        let stored = self.stored.take().ok_or(WRONG_PLACE)?;
        let bytes = value::decode(&self.key, &stored).ok_or((ProblemKind::Checksum, CHECKSUM))?;
        if (self.is_known)(&self.key, bytes) { Ok(()) } else { Err(WRONG_PLACE) }
    }
}
