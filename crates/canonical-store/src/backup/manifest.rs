//! The manifest of a backup, the first file of its snapshot: what was backed up, when, and every other file with its size, hash and counts.
//!
//! One sealed record, magic `LGST-BKM`; `docs/FORMATS.md` has the fields. Names of files are not in it: they follow from the set's grammar.

use std::{collections::BTreeSet, path::Path};

use ledgerstone_format::{
    ByteReader, StoreId,
    sealed_record::{Unsealed, put_text, seal, text, unseal},
};
use ledgerstone_vfs::{Vfs, read_small_file};

use super::{
    block_writer::FileRecord,
    reason::{BackupReason, unreadable},
    shard_head::{FORMAT, ShardHead, ShardKind},
};
use crate::{
    Error,
    catalog::{CatalogEntry, MAX_COLLECTION_ID, MAX_NAME_BYTES, STATE_COLLECTION, STATE_ID},
    error::Result,
};

const MAGIC: [u8; 8] = *b"LGST-BKM";
/// A store whose manifest would be larger cannot be backed up.
pub(super) const MANIFEST_BYTES: usize = 64 << 20;
/// JavaScript counts exactly up to here.
const MAX_ID: u64 = (1 << 53) - 1;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// The entries from this full key on, up to where the next file begins. Empty: from the first one on.
    State { from: Vec<u8> },
    /// The events from this one on.
    Events { first_id: u64 },
}

impl Span {
    pub(super) const fn kind(&self) -> ShardKind {
        match self {
            Self::State { .. } => ShardKind::State,
            Self::Events { .. } => ShardKind::Events,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileEntry {
    pub(super) span: Span,
    pub(super) record: FileRecord,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BackupManifest {
    pub(super) backup_id: [u8; 16],
    pub(super) source: StoreId,
    /// Everything up to this commit is in it, and nothing else.
    pub(super) seq: u64,
    /// The checksum of that commit's frame; 0 without any.
    pub(super) crc: u32,
    pub(super) next_event_id: u64,
    pub(super) oldest_event_id: u64,
    pub(super) last_timestamp_ms: u64,
    /// Of the store.
    pub(super) created_at_ms: u64,
    /// Of the backup.
    pub(super) made_at_ms: u64,
    pub(super) next_collection_id: u32,
    pub(super) schema_version: u32,
    /// Empty: there never was an event.
    pub(super) event_codec: String,
    /// All but `state`, by id.
    pub(super) collections: Vec<CatalogEntry>,
    /// By the numbers of their shards, from 1 on: those of the state, then those of the events.
    pub(super) files: Vec<FileEntry>,
}

impl BackupManifest {
    /// Reads and checks the one at `path`, of a snapshot with so many shards.
    pub(super) fn read(vfs: &dyn Vfs, path: &Path, shard_count: usize) -> Result<Self> {
        let bytes = read_small_file(vfs, path, MANIFEST_BYTES + 1).map_err(|error| unreadable(path, error))?;
        let bytes = bytes.ok_or_else(|| BackupReason::Missing.error(path, "a file of the backup is missing"))?;
        if bytes.len() > MANIFEST_BYTES {
            let what = format!("the manifest of the backup is too large: max={MANIFEST_BYTES}");
            return Err(BackupReason::Limit.error(path, what));
        }
        let manifest = Self::decode(path, &bytes)?;
        match manifest.fault(shard_count) {
            None => Ok(manifest),
            Some((reason, what)) => Err(reason.error(path, format!("the manifest of the backup is wrong: {what}"))),
        }
    }

    fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(&MAGIC) {
            return Err(BackupReason::Format.error(path, "this is no backup of a store"));
        }
        match unseal(MAGIC, FORMAT, bytes, Self::fields) {
            Unsealed::Record(manifest) => Ok(manifest),
            Unsealed::Version(found) => {
                let what = format!("the backup is of another version: found={found} supported={FORMAT}");
                Err(BackupReason::Format.error(path, what))
            }
            Unsealed::Damaged => {
                Err(BackupReason::Checksum.error(path, "the manifest of the backup is damaged, or cut off"))
            }
        }
    }

    /// The record.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut fields = self.backup_id.to_vec();
        fields.extend_from_slice(self.source.as_bytes());
        for word in [
            self.seq,
            self.next_event_id,
            self.oldest_event_id,
            self.last_timestamp_ms,
            self.created_at_ms,
            self.made_at_ms,
        ] {
            fields.extend_from_slice(&word.to_le_bytes());
        }
        for word in [self.crc, self.next_collection_id, self.schema_version] {
            fields.extend_from_slice(&word.to_le_bytes());
        }
        put_text(&mut fields, &self.event_codec);
        fields.extend_from_slice(&count(self.collections.len()));
        for entry in &self.collections {
            fields.extend_from_slice(&entry.id.to_le_bytes());
            fields.extend_from_slice(&entry.created_seq.to_le_bytes());
            for text in [&entry.name, &entry.key_codec, &entry.value_codec] {
                put_text(&mut fields, text);
            }
        }
        fields.extend_from_slice(&count(self.files.len()));
        for FileEntry { span, record } in &self.files {
            match span {
                Span::State { from } => {
                    fields.push(1);
                    fields.extend_from_slice(&u16::try_from(from.len()).unwrap_or(u16::MAX).to_le_bytes());
                    fields.extend_from_slice(from);
                }
                Span::Events { first_id } => {
                    fields.push(2);
                    fields.extend_from_slice(&first_id.to_le_bytes());
                }
            }
            fields.extend_from_slice(&record.bytes.to_le_bytes());
            fields.extend_from_slice(&record.hash);
            fields.extend_from_slice(&record.records.to_le_bytes());
            fields.extend_from_slice(&record.raw_bytes.to_le_bytes());
        }
        let record = seal(MAGIC, FORMAT, &fields);
        if record.len() > MANIFEST_BYTES {
            let (size, max) = (record.len() as u64, MANIFEST_BYTES as u64);
            let what = "the manifest of the backup is too large";
            return Err(Error::Limit { what, limit: "manifestBytes", size, max });
        }
        Ok(record)
    }

    fn fields(reader: &mut ByteReader<'_>) -> Option<Self> {
        let (backup_id, source) = (reader.array()?, StoreId::from_bytes(reader.array()?));
        let [seq, next_event_id, oldest_event_id, last_timestamp_ms, created_at_ms, made_at_ms] =
            [(); 6].map(|()| reader.u64());
        let [crc, next_collection_id, schema_version] = [(); 3].map(|()| reader.u32());
        let event_codec = text(reader)?;
        let mut collections = Vec::new();
        for _ in 0..reader.u32()? {
            let (id, created_seq) = (reader.u32()?, reader.u64()?);
            let [name, key_codec, value_codec] = [(); 3].map(|()| text(reader));
            let (name, key_codec, value_codec) = (name?, key_codec?, value_codec?);
            collections.push(CatalogEntry { id, name, key_codec, value_codec, created_seq, dropped_seq: 0 });
        }
        let mut files = Vec::new();
        for _ in 0..reader.u32()? {
            let span = match reader.u8()? {
                1 => {
                    let len = reader.u16()?;
                    Span::State { from: reader.take(usize::from(len))?.to_vec() }
                }
                2 => Span::Events { first_id: reader.u64()? },
                _ => return None,
            };
            let (bytes, hash) = (reader.u64()?, reader.array()?);
            let record = FileRecord { bytes, hash, records: reader.u64()?, raw_bytes: reader.u64()? };
            files.push(FileEntry { span, record });
        }
        Some(Self {
            backup_id,
            source,
            seq: seq?,
            crc: crc?,
            next_event_id: next_event_id?,
            oldest_event_id: oldest_event_id?,
            last_timestamp_ms: last_timestamp_ms?,
            created_at_ms: created_at_ms?,
            made_at_ms: made_at_ms?,
            next_collection_id: next_collection_id?,
            schema_version: schema_version?,
            event_codec,
            collections,
            files,
        })
    }

    /// What no store can be like.
    fn fault(&self, shard_count: usize) -> Option<(BackupReason, String)> {
        if self.files.len() + 1 != shard_count {
            let what = format!("files={} shards={shard_count}", self.files.len());
            return Some((BackupReason::Count, what));
        }
        self.fault_in_numbers()
            .or_else(|| self.fault_in_collections())
            .or_else(|| self.fault_in_state_files())
            .or_else(|| self.fault_in_event_files())
            .map(|what| (BackupReason::Order, what.to_owned()))
    }

    fn fault_in_numbers(&self) -> Option<&'static str> {
        let had_events = self.next_event_id > 1;
        let ids = 1 <= self.oldest_event_id && self.oldest_event_id <= self.next_event_id;
        let codec = self.event_codec.len() <= MAX_NAME_BYTES && self.event_codec.is_empty() != had_events;
        let is_new = self.seq > 0 || (self.collections.is_empty() && !had_events && self.entries() == 0);
        if self.seq > MAX_ID || self.next_event_id > MAX_ID || !ids {
            Some("numbers are out of range")
        } else if !codec {
            Some("the codec of the events does not go with them")
        } else if !is_new {
            Some("there is data that no commit has written")
        } else {
            None
        }
    }

    fn fault_in_collections(&self) -> Option<&'static str> {
        let mut names = BTreeSet::from([STATE_COLLECTION]);
        let mut last = STATE_ID;
        for entry in &self.collections {
            let texts = [&entry.name, &entry.key_codec, &entry.value_codec];
            let is_named = texts.into_iter().all(|text| (1..=MAX_NAME_BYTES).contains(&text.len()));
            let is_in_order = entry.id > last && entry.id < self.next_collection_id;
            if !is_named || !is_in_order || !names.insert(&entry.name) || !(1..=self.seq).contains(&entry.created_seq) {
                return Some("a collection is not what one can be");
            }
            last = entry.id;
        }
        let limit = MAX_COLLECTION_ID.saturating_add(1);
        (!(STATE_ID + 1..=limit).contains(&self.next_collection_id)).then_some("there is no such collection id")
    }

    fn fault_in_state_files(&self) -> Option<&'static str> {
        let mut froms = self.files.iter().map_while(|file| match &file.span {
            Span::State { from } => Some(from),
            Span::Events { .. } => None,
        });
        let Some(mut last) = froms.next().filter(|from| from.is_empty()) else {
            return Some("the state does not begin at its beginning");
        };
        for from in froms {
            if from <= last || from.len() < 4 {
                return Some("the files of the state are out of order");
            }
            last = from;
        }
        None
    }

    fn fault_in_event_files(&self) -> Option<&'static str> {
        let states = self.files.iter().take_while(|file| matches!(file.span, Span::State { .. })).count();
        let mut next = self.oldest_event_id;
        for file in self.files.iter().skip(states) {
            let Span::Events { first_id } = &file.span else {
                return Some("files of the state and the events are mixed");
            };
            if *first_id != next || file.record.records == 0 {
                return Some("the files of the events do not join");
            }
            next = next.saturating_add(file.record.records);
        }
        (next != self.next_event_id).then_some("the files do not hold the events that there were")
    }

    /// How many entries there are.
    pub(super) fn entries(&self) -> u64 {
        self.sum(ShardKind::State, |record| record.records)
    }

    /// How many events there are.
    pub(super) fn events(&self) -> u64 {
        self.sum(ShardKind::Events, |record| record.records)
    }

    /// What the files but this one take.
    pub(super) fn file_bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.record.bytes))
    }

    fn sum(&self, kind: ShardKind, part: fn(&FileRecord) -> u64) -> u64 {
        let files = self.files.iter().filter(|file| file.span.kind() == kind);
        files.fold(0, |sum, file| sum.saturating_add(part(&file.record)))
    }

    /// The head of the file at this place in the list.
    pub(super) fn head_of(&self, place: usize, kind: ShardKind) -> ShardHead {
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        ShardHead {
            kind,
            backup_id: self.backup_id,
            shard: number(place + 1),
            shard_count: number(self.files.len() + 1),
        }
    }
}

fn count(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}
