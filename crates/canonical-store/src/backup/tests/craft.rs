//! A small backup, made by hand: each part of it can be replaced before it is put on a disk.

use std::{path::Path, sync::Arc};

use ledgerstone_format::StoreId;
use ledgerstone_vfs::{
    OpenHow, Vfs,
    sim::{SimClock, SimDisk, Stranger},
};

use crate::{
    BackupJob, Error, RestoreInfo,
    backup::{
        block_writer::{BlockWriter, FileRecord},
        manifest::{BackupManifest, FileEntry, Span},
        record::{put_entry_head, put_event_head},
        shard_head::{ShardHead, ShardKind},
    },
    catalog::CatalogEntry,
    delta::full_key,
    testing::restore_simulated,
};

pub(super) const FOLDER: &str = "/backups";
pub(super) const TARGET: &str = "/restored/store";

/// Collection, key, value.
pub(super) type Put = (u32, &'static [u8], &'static [u8]);
/// Time, payload.
pub(super) type Happened = (u64, &'static [u8]);

/// See the module.
pub(super) struct Craft {
    pub(super) manifest: BackupManifest,
    /// As they stand on the disk.
    pub(super) files: Vec<Vec<u8>>,
    /// Whether the manifest gets the hashes of the changed files, as a forger would make it.
    pub(super) rehash: bool,
    /// What is done to the bytes of the manifest.
    pub(super) manifest_bytes: fn(Vec<u8>) -> Vec<u8>,
    /// What is done to the folder in the end.
    pub(super) last: fn(&SimDisk),
}

const NOTHING: FileRecord = FileRecord { bytes: 0, hash: [0; 32], records: 0, raw_bytes: 0 };

impl Craft {
    /// Two files of state, two of events; every number is right.
    pub(super) fn sound() -> Self {
        let spans = [
            Span::State { from: Vec::new() },
            Span::State { from: full_key(1, b"n") },
            Span::Events { first_id: 3 },
            Span::Events { first_id: 6 },
        ];
        let orders = CatalogEntry {
            id: 2,
            name: "orders".to_owned(),
            key_codec: "utf8".to_owned(),
            value_codec: "json".to_owned(),
            created_seq: 4,
            dropped_seq: 0,
        };
        let manifest = BackupManifest {
            backup_id: [9; 16],
            source: StoreId::from_random([7; 16]),
            seq: 12,
            crc: 0x1234_5678,
            next_event_id: 9,
            oldest_event_id: 3,
            last_timestamp_ms: 100,
            created_at_ms: 1,
            made_at_ms: 200,
            next_collection_id: 5,
            schema_version: 0,
            event_codec: "json".to_owned(),
            collections: vec![orders],
            files: spans.into_iter().map(|span| FileEntry { span, record: NOTHING }).collect(),
        };
        let mut craft =
            Self { manifest, files: vec![Vec::new(); 4], rehash: true, manifest_bytes: |bytes| bytes, last: |_| {} };
        craft.put_state(0, &[(1, b"a", b"1"), (1, b"m", b"")]);
        craft.put_state(1, &[(1, b"n", b"2"), (2, b"x", b"3"), (2, b"y", b"4")]);
        craft.put_events(2, &[(5, b"three"), (5, b"four"), (6, b"five")]);
        craft.put_events(3, &[(6, b"six"), (99, b""), (100, b"eight")]);
        craft
    }

    /// Makes a file of the state anew.
    pub(super) fn put_state(&mut self, place: usize, entries: &[Put]) {
        let records = entries.iter().map(|(id, key, value)| {
            let mut record = Vec::new();
            put_entry_head(&mut record, *id, key, value.len());
            record.extend_from_slice(value);
            record
        });
        self.put(place, ShardKind::State, &records.collect::<Vec<_>>());
    }

    /// Makes a file of the events anew.
    pub(super) fn put_events(&mut self, place: usize, events: &[Happened]) {
        let records = events.iter().map(|(timestamp_ms, payload)| {
            let mut record = Vec::new();
            put_event_head(&mut record, *timestamp_ms, payload.len());
            record.extend_from_slice(payload);
            record
        });
        self.put(place, ShardKind::Events, &records.collect::<Vec<_>>());
    }

    /// Makes a file of these records.
    pub(super) fn put(&mut self, place: usize, kind: ShardKind, records: &[Vec<u8>]) {
        let head = self.manifest.head_of(place, kind);
        let (bytes, record) = file_of(head, records);
        self.files[place] = bytes;
        self.manifest.files[place].record = record;
    }

    /// Puts it on a new disk, as a set without the set's manifest.
    pub(super) fn on_disk(mut self) -> SimDisk {
        let disk = SimDisk::new(1);
        let count = self.files.len() + 1;
        for (place, bytes) in self.files.iter().enumerate() {
            disk.write_file(shard_path(place + 1, count), bytes);
            if let Some(file) = self.manifest.files.get_mut(place).filter(|_| self.rehash) {
                file.record.bytes = bytes.len() as u64;
                file.record.hash = *blake3::hash(bytes).as_bytes();
            }
        }
        let bytes = self.manifest.encode().unwrap();
        disk.write_file(shard_path(0, count), &(self.manifest_bytes)(bytes));
        (self.last)(&disk);
        disk
    }
}

/// A file of records, and what the manifest says of it.
pub(super) fn file_of(head: ShardHead, records: &[Vec<u8>]) -> (Vec<u8>, FileRecord) {
    let disk = SimDisk::new(1);
    let path = Path::new("/file");
    let file = disk.open(path, OpenHow::CreateNew).unwrap();
    let mut writer = BlockWriter::new(file, head).unwrap();
    for record in records {
        writer.push(record).unwrap();
        writer.count(1);
    }
    let record = writer.finish().unwrap();
    (disk.read_file(path).unwrap(), record)
}

/// Where the set has that file.
pub(super) fn shard_path(shard: usize, count: usize) -> String {
    format!("{FOLDER}/snapshot_1_{shard}-of-{count}_full.bin")
}

/// Something that is no file in the place of that one.
pub(super) fn replace(disk: &SimDisk, shard: usize, stranger: Stranger) {
    disk.put_stranger(shard_path(shard, 5), stranger);
}

/// Removes that file.
pub(super) fn remove(disk: &SimDisk, shard: usize) {
    disk.remove_file(Path::new(&shard_path(shard, 5))).unwrap();
}

/// Tries to restore.
pub(super) fn try_restore(disk: &SimDisk) -> Result<RestoreInfo, Error> {
    let clock = SimClock::new(1_000);
    let job = BackupJob::default();
    restore_simulated(disk, &clock, Path::new(FOLDER), Path::new(TARGET), false, &job).map(Option::unwrap)
}

/// Every file with its bytes.
pub(super) fn everything(disk: &SimDisk) -> Vec<(std::path::PathBuf, Option<Vec<u8>>)> {
    disk.list().into_iter().map(|path| (path.clone(), disk.read_file(&path))).collect()
}

/// The disk as the reader of a single file sees it.
pub(super) fn one_file(bytes: &[u8]) -> Arc<dyn Vfs> {
    let disk = SimDisk::new(1);
    disk.write_file("/file", bytes);
    Arc::new(disk)
}
