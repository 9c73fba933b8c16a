//! Backups that nobody has made: each is refused with a reason, and nothing is made, changed or removed, nor is memory asked for what it says.

use std::path::Path;

use ledgerstone_format::{
    checksum::{crc32c, crc32c_append},
    compression::{Compression, compress},
    sealed_record::seal,
};
use ledgerstone_vfs::{
    Vfs,
    sim::{SimDisk, Stranger},
};

use super::craft::{Craft, FOLDER, TARGET, everything, remove, replace, shard_path, try_restore};
use crate::{
    BackupReason::{self, Checksum, Count, Format, Limit, Missing, NotAFile, Order, Size},
    backup::{
        manifest::Span,
        shard_head::{BLOCK_BYTES, HEAD_BYTES, ShardKind},
    },
};

type Forge = fn(&mut Craft);
type Occupy = fn(&SimDisk);

/// Puts a block in the place of everything behind the head of a file, with a checksum that vouches for it.
fn put_block(craft: &mut Craft, place: usize, kind: ShardKind, lengths: (u32, u32), bytes: &[u8]) {
    let head = craft.manifest.head_of(place, kind);
    let lengths = [lengths.0.to_le_bytes(), lengths.1.to_le_bytes()].concat();
    let crc = crc32c_append(crc32c_append(head.seed(HEAD_BYTES as u64), &lengths), bytes);
    let file = &mut craft.files[place];
    file.truncate(HEAD_BYTES);
    file.extend_from_slice(&lengths);
    file.extend_from_slice(&crc.to_le_bytes());
    file.extend_from_slice(bytes);
}

/// A mebibyte of zeros in a few bytes.
fn zeros(len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(compress(Compression::Zstd, &vec![0; len], &mut out));
    out
}

const KINDS: &[(&str, BackupReason, Forge)] = &[
    ("an empty folder", Missing, |craft| craft.last = |disk| (0..5).for_each(|shard| remove(disk, shard))),
    ("the manifest is missing", Missing, |craft| craft.last = |disk| remove(disk, 0)),
    ("a file is missing", Missing, |craft| craft.last = |disk| remove(disk, 3)),
    ("a link in the place of the manifest", NotAFile, |craft| craft.last = |disk| replace(disk, 0, Stranger::Link)),
    ("a link in the place of a file", NotAFile, |craft| craft.last = |disk| replace(disk, 2, Stranger::Link)),
    ("a queue that nobody writes to", NotAFile, |craft| craft.last = |disk| replace(disk, 1, Stranger::Fifo)),
    ("a folder in the place of a file", NotAFile, |craft| craft.last = |disk| replace(disk, 4, Stranger::Folder)),
    ("the manifest is empty", Format, |craft| craft.manifest_bytes = |_| Vec::new()),
    ("the manifest is somebody else's", Format, |craft| craft.manifest_bytes = |_| b"{\"backup\":true}".to_vec()),
    ("the manifest is cut", Checksum, |craft| {
        craft.manifest_bytes = |mut bytes| {
            bytes.truncate(bytes.len() / 2);
            bytes
        }
    }),
    ("the manifest has one bit flipped", Checksum, |craft| {
        craft.manifest_bytes = |mut bytes| {
            bytes[40] ^= 4;
            bytes
        }
    }),
    ("the manifest is of a later version", Format, |craft| {
        craft.manifest_bytes = |mut bytes| {
            bytes[8] = 2;
            let end = bytes.len() - 4;
            let crc = crc32c(&bytes[..end]);
            bytes[end..].copy_from_slice(&crc.to_le_bytes());
            bytes
        }
    }),
    ("the manifest has something behind its fields", Checksum, |craft| {
        craft.manifest_bytes = |bytes| seal(*b"LGST-BKM", 1, &[&bytes[10..bytes.len() - 4], &[0; 8]].concat());
    }),
    ("the manifest counts four billion collections", Checksum, |craft| {
        craft.manifest_bytes = |bytes| {
            let mut fields = bytes[10..bytes.len() - 4].to_vec();
            // Behind ids, numbers and the codec of the events.
            let at = 16 + 16 + 6 * 8 + 3 * 4 + 2 + 4;
            fields[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            seal(*b"LGST-BKM", 1, &fields)
        }
    }),
    ("the manifest is sparse and huge", Limit, |craft| {
        craft.manifest_bytes = |mut bytes| {
            bytes.resize((64 << 20) + 1, 0);
            bytes
        }
    }),
    ("a file fewer than the manifest lists", Count, |craft| drop(craft.manifest.files.pop())),
    ("events are missing between two files", Order, |craft| {
        craft.manifest.files[3].span = Span::Events { first_id: 7 };
    }),
    ("more events than there can be", Order, |craft| craft.manifest.next_event_id = u64::MAX),
    ("fewer events than ids", Order, |craft| craft.manifest.next_event_id = 20),
    ("the oldest event is behind the newest", Order, |craft| craft.manifest.oldest_event_id = 10),
    ("no codec for the events", Order, |craft| craft.manifest.event_codec.clear()),
    ("two collections of one name", Order, |craft| {
        let mut twin = craft.manifest.collections[0].clone();
        twin.id = 3;
        craft.manifest.collections.push(twin);
    }),
    ("a collection that is called state", Order, |craft| craft.manifest.collections[0].name = "state".to_owned()),
    ("a collection that will be made again", Order, |craft| craft.manifest.next_collection_id = 2),
    ("a collection made after the backup", Order, |craft| craft.manifest.collections[0].created_seq = 13),
    ("files of state out of order", Order, |craft| craft.manifest.files[1].span = Span::State { from: Vec::new() }),
    ("state that does not begin", Order, |craft| craft.manifest.files[0].span = Span::State { from: vec![0; 8] }),
    ("two files swapped", Format, |craft| craft.files.swap(0, 1)),
    ("two files swapped, and known by no hash", Format, |craft| craft.files.swap(2, 3)),
    ("a file of another backup", Format, |craft| {
        let mut other = Craft::sound();
        other.manifest.backup_id = [8; 16];
        other.put_state(0, &[(1, b"a", b"1"), (1, b"m", b"")]);
        craft.files[0] = other.files.swap_remove(0);
    }),
    ("a file is cut", Size, |craft| {
        craft.rehash = false;
        craft.files[1].pop();
    }),
    ("a file is cut, and the manifest knows", Size, |craft| craft.files[1].truncate(60)),
    ("something behind the end of a file", Size, |craft| craft.files[1].push(0)),
    ("a file of a hundred terabytes, so the manifest", Size, |craft| {
        craft.rehash = false;
        craft.manifest.files[2].record.bytes = 100 << 40;
    }),
    ("a bit flipped in a block", Checksum, |craft| craft.files[1][HEAD_BYTES + 20] ^= 1),
    ("another hash", Checksum, |craft| {
        craft.rehash = false;
        craft.manifest.files[3].record.hash[7] ^= 1;
    }),
    ("more entries than the manifest counts", Count, |craft| craft.manifest.files[1].record.records = 2),
    ("fewer entries than the manifest counts", Count, |craft| craft.manifest.files[1].record.records = 4),
    ("more bytes than the manifest counts", Count, |craft| craft.manifest.files[1].record.raw_bytes += 1),
    ("a block that is too large", Limit, |craft| {
        put_block(craft, 0, ShardKind::State, (100, u32::MAX), &zeros(BLOCK_BYTES));
    }),
    ("a bomb: a block gives more than it says", Limit, |craft| {
        let bomb = zeros(64 << 20);
        let stored = u32::try_from(bomb.len()).unwrap();
        put_block(craft, 0, ShardKind::State, (stored, 100_000), &bomb);
    }),
    ("a block gives less than it says", Limit, |craft| {
        let bytes = zeros(1_000);
        let stored = u32::try_from(bytes.len()).unwrap();
        put_block(craft, 0, ShardKind::State, (stored, 2_000), &bytes);
    }),
    ("a block that is no compression", Limit, |craft| put_block(craft, 0, ShardKind::State, (4, 2_000), b"zstd")),
    ("a block that is longer than what it is made of", Limit, |craft| {
        put_block(craft, 0, ShardKind::State, (20, 10), &[0; 20]);
    }),
    ("a value of four gigabytes", Limit, |craft| {
        craft.put(0, ShardKind::State, &[[&1_u32.to_le_bytes()[..], &[1, 0], &[0xff; 4], b"a"].concat()]);
    }),
    ("a value of a gigabyte that is not there", Count, |craft| {
        let len = (1_u32 << 30).to_le_bytes();
        craft.put(0, ShardKind::State, &[[&1_u32.to_le_bytes()[..], &[1, 0], &len, b"a"].concat()]);
    }),
    ("an entry without a key", Limit, |craft| craft.put_state(0, &[(1, b"", b"1")])),
    ("a key that is too long", Limit, |craft| {
        craft.put(0, ShardKind::State, &[[&1_u32.to_le_bytes()[..], &[0xff; 2], &[0; 4]].concat()]);
    }),
    ("keys out of order", Order, |craft| craft.put_state(0, &[(1, b"m", b""), (1, b"a", b"1")])),
    ("a key twice", Order, |craft| craft.put_state(0, &[(1, b"a", b"1"), (1, b"a", b"2")])),
    ("a key of the next file", Order, |craft| craft.put_state(0, &[(1, b"a", b"1"), (1, b"n", b"2")])),
    ("a key of the file before", Order, |craft| craft.put_state(1, &[(1, b"b", b"1"), (1, b"n", b"2")])),
    ("an entry of no collection", Order, |craft| craft.put_state(1, &[(1, b"n", b"2"), (4, b"x", b"3")])),
    ("times out of order", Order, |craft| craft.put_events(2, &[(5, b"a"), (4, b"b"), (6, b"c")])),
    ("times out of order between files", Order, |craft| craft.put_events(2, &[(5, b"a"), (6, b"b"), (50, b"c")])),
    ("an event behind the last commit", Order, |craft| craft.put_events(3, &[(6, b"a"), (7, b"b"), (101, b"c")])),
    ("an event of two gigabytes", Limit, |craft| {
        let event = [&5_u64.to_le_bytes()[..], &(1_u32 << 31).to_le_bytes()].concat();
        craft.put(2, ShardKind::Events, &[event, Vec::new(), Vec::new()]);
    }),
    ("a record that is cut", Count, |craft| craft.put(2, ShardKind::Events, &[vec![0; 5], vec![], vec![]])),
    ("data before the first commit", Order, |craft| craft.manifest.seq = 0),
    ("diffs behind the backup", Format, |craft| {
        craft.last = |disk| disk.write_file(format!("{FOLDER}/snapshot_2_0-of-1_diff.bin"), b"LGST-JRN");
    }),
    ("a newer backup that is not whole", Missing, |craft| {
        craft.last = |disk| disk.write_file(format!("{FOLDER}/snapshot_2_1-of-2_full.bin"), b"LGST-BKS");
    }),
    ("a set that is damaged", Checksum, |craft| {
        craft.last = |disk| disk.write_file(format!("{FOLDER}/MANIFEST"), b"LGST-SSM and nothing that fits");
    }),
    ("somebody else's manifest of a set", Format, |craft| {
        craft.last = |disk| disk.write_file(format!("{FOLDER}/MANIFEST"), b"CACHE MANIFEST");
    }),
];

#[test]
fn a_sound_backup_is_restored() {
    let disk = Craft::sound().on_disk();
    let info = try_restore(&disk).unwrap();
    assert_eq!((info.seq, info.entries, info.events, info.next_event_id), (12, 5, 6, 9));
    let unfinished: Vec<_> = disk.list().into_iter().filter(|path| path.to_string_lossy().contains("restor")).collect();
    assert!(unfinished.iter().all(|path| path.starts_with(TARGET)), "{unfinished:?}");
    assert!(!disk.exists(&Path::new(TARGET).join("RESTORING")).unwrap());
}

#[test]
fn hostile_backups_are_refused_with_a_reason_and_touch_nothing() {
    assert!(KINDS.len() >= 30);
    for (name, reason, forge) in KINDS {
        let mut craft = Craft::sound();
        forge(&mut craft);
        let disk = craft.on_disk();
        let (before, operations) = (everything(&disk), disk.operations());
        let error = try_restore(&disk).expect_err(name);
        assert_eq!(error.code(), "ERR_BACKUP", "{name}: {error}");
        assert!(error.to_string().ends_with(&format!("reason={}", reason.as_str())), "{name}: {error}");
        assert_eq!(disk.operations(), operations, "{name}: the disk was changed");
        assert_eq!(everything(&disk), before, "{name}");
    }
}

/// What cannot be in the way of a backup: files with other names are nobody's business.
#[test]
fn foreign_names_are_passed_over() {
    let disk = Craft::sound().on_disk();
    for name in ["../evil", "notes.txt", "snapshot_9_0-of-1_full.bin.tmp", "snapshot_01_0-of-1_full.bin", "LOCK"] {
        disk.write_file(format!("{FOLDER}/{name}"), b"whatever");
    }
    assert_eq!(try_restore(&disk).unwrap().seq, 12);
}

/// The place is judged before the backup is read.
#[test]
fn a_place_that_is_taken_is_refused_and_left_alone() {
    let places: [(&str, Occupy); 5] = [
        ("a file in it", |disk| disk.write_file(format!("{TARGET}/mine"), b"1")),
        ("a file instead of it", |disk| disk.write_file(TARGET, b"1")),
        ("a link instead of it", |disk| {
            disk.create_dir_all(Path::new("/restored")).unwrap();
            disk.put_stranger(TARGET, Stranger::Link);
        }),
        ("somebody's folder beside it", |disk| disk.write_file(format!("{TARGET}.restoring/mine"), b"1")),
        ("somebody's file beside it", |disk| disk.write_file(format!("{TARGET}.restoring"), b"1")),
    ];
    for (name, occupy) in places {
        let disk = Craft::sound().on_disk();
        occupy(&disk);
        let before = everything(&disk);
        let error = try_restore(&disk).expect_err(name);
        assert_eq!(error.code(), "ERR_BACKUP", "{name}");
        assert!(error.to_string().ends_with("reason=target"), "{name}: {error}");
        assert_eq!(everything(&disk), before, "{name}");
    }
}

/// Bug: after a power cut in its first moments a restore was refused for ever. Mechanism: the mark was written in place, and a device that was writing
/// left garbage in it, which nobody knew as ours. Fix: the mark is made aside and renamed whole, and what is left aside goes once it stands.
#[test]
fn what_a_restore_that_died_has_left_is_cleared_by_the_next_one_and_nothing_else() {
    const MARK: &[u8] = b"LGST-RST a store is being restored here\n";
    let left: [(&str, bool, Occupy); 6] = [
        ("an empty folder", true, |disk| disk.create_dir_all(Path::new("/restored/store.restoring")).unwrap()),
        ("a mark that is garbage", true, |disk| {
            disk.write_file("/restored/store.restoring/RESTORING.tmp", &[0x9e; 40]);
        }),
        ("a store half made", true, |disk| {
            for name in ["IDENTITY.tmp", "journal/journal-spare.tmp", "events/events-1.log", "state/twin", "CLEAN"] {
                disk.write_file(format!("/restored/store.restoring/{name}"), b"half");
            }
            disk.write_file("/restored/store.restoring/RESTORING", MARK);
        }),
        ("a store without a mark", false, |disk| disk.write_file("/restored/store.restoring/IDENTITY", b"LGST-STO")),
        ("another mark", false, |disk| disk.write_file("/restored/store.restoring/RESTORING", b"do not")),
        ("somebody's file beside the mark", false, |disk| {
            disk.write_file("/restored/store.restoring/RESTORING", MARK);
            disk.write_file("/restored/store.restoring/events/mine", b"1");
        }),
    ];
    for (name, is_ours, leave) in left {
        let disk = Craft::sound().on_disk();
        leave(&disk);
        let before = everything(&disk);
        let restored = try_restore(&disk);
        assert_eq!(restored.is_ok(), is_ours, "{name}: {restored:?}");
        if is_ours {
            assert!(disk.list().iter().all(|path| !path.to_string_lossy().contains("restoring")), "{name}");
            assert!(!disk.exists(&Path::new(TARGET).join("RESTORING.tmp")).unwrap(), "{name}");
        } else {
            assert_eq!(everything(&disk), before, "{name}");
        }
    }
}

#[test]
fn what_is_damaged_by_one_bit_anywhere_is_refused() {
    let sound = Craft::sound().on_disk();
    for shard in 0..5 {
        let path = shard_path(shard, 5);
        let len = sound.read_file(&path).unwrap().len();
        for byte in 0..len {
            let disk = Craft::sound().on_disk();
            assert!(disk.flip(&path, byte as u64, 1 << (byte % 8)));
            let error = try_restore(&disk).expect_err("a flipped bit");
            assert_eq!(error.code(), "ERR_BACKUP", "shard {shard}, byte {byte}: {error}");
        }
    }
}
