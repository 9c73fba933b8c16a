//! The small file that makes the steps of a set atomic: the snapshots, the step under way with each, and the shards of the
//! published ones. Replaced as a whole. A step is written here, durably, before any other file changes.
//!
//! ```text
//! 0 magic "LGST-SSM" | 8 format u16 | 10 zero u16 | 12 count u32 | 16 last ordinal u64 | 24 diffs gone u64
//! | 32 entries | crc32c u32 of all before
//! an entry: ordinal u64 | type u8 | step u8 | records u8 | zero u8 | shards u32 | if records is 1: shards x (length u64 | crc32c u32)
//! ```

use std::{collections::BTreeMap, path::Path};

use ledgerstone_format::{ByteReader, checksum::crc32c};
use ledgerstone_vfs::{Aside, SET_MANIFEST, Vfs, read_small_file};

use crate::{
    Error, Result,
    snapshot_name::{MAX_ORDINAL, MAX_SHARDS, SnapshotType},
};

/// The file's name.
pub(crate) const MANIFEST_NAME: &str = SET_MANIFEST.0;
const MAGIC: &[u8; 8] = SET_MANIFEST.1;
const FORMAT: u16 = 1;
/// A set whose manifest would be larger takes no more snapshots.
pub(crate) const MANIFEST_BYTES: usize = 16 << 20;

/// The step under way with a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Settled,
    /// Its empty files are being made. The caller has not received it: its files are removed again.
    Making,
    /// A pending one becomes full: its files are flushed and recorded, and are being renamed.
    Publishing,
    /// Its files are being removed.
    Removing,
    /// A flush of a pending one failed: the content of the device is unknown, so it is never published.
    Spoilt,
}

/// One file of a published snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShardRecord {
    pub(crate) len: u64,
    pub(crate) crc: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `Pending` for one that is being published.
    pub(crate) kind: SnapshotType,
    pub(crate) step: Step,
    pub(crate) shard_count: u32,
    /// Of a snapshot that was published here, or is being published: one per shard.
    pub(crate) records: Option<Vec<ShardRecord>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// No other snapshot gets an ordinal up to this one.
    pub(crate) last_ordinal: u64,
    /// The highest removed diff: a restore from below it would have a gap. 0: none was removed.
    pub(crate) diffs_gone: u64,
    /// By ordinal.
    pub(crate) entries: BTreeMap<u64, Entry>,
}

impl Entry {
    pub(crate) const fn new(kind: SnapshotType, step: Step, shard_count: u32) -> Self {
        Self { kind, step, shard_count, records: None }
    }
}

impl Manifest {
    /// `None`: there is no manifest.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Format`] for a newer one, [`Error::Foreign`] for a foreign file.
    pub(crate) fn read(vfs: &dyn Vfs, folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST_NAME);
        let Some(bytes) = read_small_file(vfs, &path, MANIFEST_BYTES + 1)? else { return Ok(None) };
        // Damage mostly leaves these parts of our magic.
        let is_ours = bytes.iter().zip(MAGIC).take(6).all(|(found, ours)| found == ours || *found == 0);
        if !is_ours || bytes.len() > MANIFEST_BYTES {
            return Err(Error::foreign(path, "a file that was not made here", "the manifest of a snapshot set"));
        }
        match Self::decode(&bytes) {
            Ok(Some(manifest)) => Ok(Some(manifest)),
            Ok(None) => Err(Error::corrupt(
                path,
                "the manifest is damaged (without it the set is told by the names of its files)",
            )),
            Err(found) => Err(Error::Format { file: path, found, supported: FORMAT }),
        }
    }

    /// `Ok(None)`: it is damaged. `Err`: the number of another format.
    fn decode(bytes: &[u8]) -> Result<Option<Self>, u16> {
        let Some((covered, crc)) = bytes.split_last_chunk::<4>() else { return Ok(None) };
        let mut reader = ByteReader::new(covered);
        if crc32c(covered) != u32::from_le_bytes(*crc) || reader.array() != Some(*MAGIC) {
            return Ok(None);
        }
        match reader.u16() {
            Some(FORMAT) => Ok(Self::fields(&mut reader).filter(|_| reader.remaining() == 0)),
            Some(found) => Err(found),
            None => Ok(None),
        }
    }

    fn fields(reader: &mut ByteReader<'_>) -> Option<Self> {
        reader.u16()?;
        let count = reader.u32()?;
        let (last_ordinal, diffs_gone) = (reader.u64()?, reader.u64()?);
        let mut entries = BTreeMap::new();
        let mut before = 0;
        for _ in 0..count {
            let (ordinal, entry) = (reader.u64()?, Entry::read(reader)?);
            if ordinal <= before || ordinal > last_ordinal {
                return None;
            }
            before = ordinal;
            entries.insert(ordinal, entry);
        }
        (last_ordinal <= MAX_ORDINAL && diffs_gone <= last_ordinal).then_some(Self {
            last_ordinal,
            diffs_gone,
            entries,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(36 + self.entries.len() * 16);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&u32::try_from(self.entries.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&self.last_ordinal.to_le_bytes());
        bytes.extend_from_slice(&self.diffs_gone.to_le_bytes());
        for (ordinal, entry) in &self.entries {
            bytes.extend_from_slice(&ordinal.to_le_bytes());
            entry.write(&mut bytes);
        }
        bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// Replaces the file in `folder`. The old one is valid until the rename; when only the last flush fails, it is unknown
    /// which one is.
    pub(crate) fn write(&self, vfs: &dyn Vfs, folder: &Path) -> Result<()> {
        let bytes = self.encode();
        if bytes.len() > MANIFEST_BYTES {
            let (size, max) = (bytes.len() as u64, MANIFEST_BYTES as u64);
            return Err(Error::Limit { limit: "manifestBytes", size, max });
        }
        let path = folder.join(MANIFEST_NAME);
        Aside::fill_and_place(vfs, &path, |file| {
            file.write_all_at(&bytes, 0)?;
            file.sync_data()
        })?;
        Ok(vfs.sync_dir(folder)?)
    }
}

impl Entry {
    fn read(reader: &mut ByteReader<'_>) -> Option<Self> {
        let kind = match reader.u8()? {
            1 => SnapshotType::Diff,
            2 => SnapshotType::Full,
            3 => SnapshotType::Pending,
            _ => return None,
        };
        let step = match reader.u8()? {
            0 => Step::Settled,
            1 => Step::Making,
            2 => Step::Publishing,
            3 => Step::Removing,
            4 => Step::Spoilt,
            _ => return None,
        };
        let has_records = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        reader.u8()?;
        let shard_count = reader.u32().filter(|count| (1..=MAX_SHARDS).contains(count))?;
        let fits = match step {
            Step::Publishing => kind == SnapshotType::Pending && has_records,
            Step::Spoilt => kind == SnapshotType::Pending,
            Step::Making => kind != SnapshotType::Full,
            Step::Settled | Step::Removing => true,
        };
        let record = |reader: &mut ByteReader<'_>| Some(ShardRecord { len: reader.u64()?, crc: reader.u32()? });
        let records =
            if has_records { Some((0..shard_count).map(|_| record(reader)).collect::<Option<_>>()?) } else { None };
        fits.then_some(Self { kind, step, shard_count, records })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let kind = match self.kind {
            SnapshotType::Diff => 1,
            SnapshotType::Full => 2,
            SnapshotType::Pending => 3,
        };
        let step = match self.step {
            Step::Settled => 0,
            Step::Making => 1,
            Step::Publishing => 2,
            Step::Removing => 3,
            Step::Spoilt => 4,
        };
        bytes.extend_from_slice(&[kind, step, u8::from(self.records.is_some()), 0]);
        bytes.extend_from_slice(&self.shard_count.to_le_bytes());
        for ShardRecord { len, crc } in self.records.iter().flatten() {
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(&crc.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_format::checksum::crc32c;

    use super::{Entry, Manifest, ShardRecord, SnapshotType, Step};

    fn sample() -> Manifest {
        let records = Some(vec![ShardRecord { len: 5, crc: 7 }, ShardRecord { len: u64::MAX, crc: u32::MAX }]);
        let entries = [
            (2, Entry { records: records.clone(), ..Entry::new(SnapshotType::Full, Step::Settled, 2) }),
            (3, Entry::new(SnapshotType::Diff, Step::Removing, 1)),
            (9, Entry { records, ..Entry::new(SnapshotType::Pending, Step::Publishing, 2) }),
            (10, Entry::new(SnapshotType::Diff, Step::Making, 4_096)),
        ];
        Manifest { last_ordinal: 11, diffs_gone: 1, entries: entries.into_iter().collect() }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let mut bytes = sample().encode();
        assert_eq!(Manifest::decode(&bytes), Ok(Some(sample())));
        for len in 0..bytes.len() {
            assert_eq!(Manifest::decode(&bytes[..len]), Ok(None), "cut to {len}");
        }
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Manifest::decode(&bytes), Ok(None), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// As `every_flipped_bit…`, but with a correct checksum: each field is checked by itself, and no count decides how much is allocated.
    #[test]
    fn fields_out_of_range_are_refused_under_a_right_checksum() {
        let body = sample().encode();
        let body = &body[..body.len() - 4];
        let with = |at: usize, bytes: &[u8]| {
            let mut changed = body.to_vec();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            changed.extend_from_slice(&crc32c(&changed).to_le_bytes());
            Manifest::decode(&changed)
        };
        assert_eq!(with(8, &[2, 0]), Err(2), "a newer format");
        for (at, bytes, what) in [
            (12, [0xff; 4].as_slice(), "entries beyond the end"),
            (12, &[3], "entries left over"),
            (16, &[0xff; 8], "a last ordinal that is no safe integer"),
            (16, &[9], "an ordinal above the last"),
            (24, &[12], "diffs gone above the last ordinal"),
            (32, &[0; 8], "ordinal 0"),
            (32, &[0xff; 8], "ordinals out of order"),
            (40, &[4], "an unknown type"),
            (41, &[5], "an unknown step"),
            (42, &[2], "neither records nor none"),
            (42, &[0], "records that nobody claims"),
            (44, &[0; 4], "no shards"),
            (44, &[0xff; 4], "more shards than a snapshot has"),
            (41, &[2], "a full snapshot that is published again"),
        ] {
            assert_eq!(with(at, bytes), Ok(None), "{what}");
        }
    }
}
