//! The grammar of the file names: `snapshot_<ordinal>_<shard>-of-<count>_<diff|full|pending>.bin`, all numbers decimal without
//! padding. Parsing is total: any other name, also one that is not UTF-8 or has numbers out of range, gives `None`.

use std::{ffi::OsStr, fmt, str::FromStr};

/// The largest ordinal: the largest safe integer of a JavaScript number.
pub const MAX_ORDINAL: u64 = (1 << 53) - 1;
/// The maximum number of shards per snapshot.
pub const MAX_SHARDS: u32 = 4_096;

/// The type of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapshotType {
    /// A full snapshot that is being written.
    Pending,
    /// The changes since the snapshot before it.
    Diff,
    /// A published full snapshot.
    Full,
}

impl SnapshotType {
    /// Its name in files and in JavaScript.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Diff => "diff",
            Self::Full => "full",
        }
    }
}

impl FromStr for SnapshotType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Pending, Self::Diff, Self::Full].into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// The name of one shard's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotName {
    /// From 1 to [`MAX_ORDINAL`].
    pub ordinal: u64,
    /// From 0, below `shard_count`.
    pub shard: u32,
    /// From 1 to [`MAX_SHARDS`].
    pub shard_count: u32,
    /// The type, the last part of the name.
    pub kind: SnapshotType,
}

impl SnapshotName {
    /// The parts of a name in this grammar; `None` for any other name.
    pub fn parse(name: &OsStr) -> Option<Self> {
        let rest = name.to_str()?.strip_prefix("snapshot_")?.strip_suffix(".bin")?;
        let mut parts = rest.split('_');
        let (ordinal, shards, kind) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (shard, count) = shards.split_once("-of-")?;
        let (shard, shard_count) = (u32::try_from(number(shard)?).ok()?, u32::try_from(number(count)?).ok()?);
        let name = Self { ordinal: number(ordinal)?, shard, shard_count, kind: kind.parse().ok()? };
        let fits = (1..=MAX_ORDINAL).contains(&name.ordinal) && shard < shard_count && shard_count <= MAX_SHARDS;
        fits.then_some(name)
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ordinal, shard, shard_count, kind } = self;
        write!(f, "snapshot_{ordinal}_{shard}-of-{shard_count}_{}.bin", kind.as_str())
    }
}

/// A decimal number in canonical form: no sign, no padding, no overflow.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{MAX_ORDINAL, MAX_SHARDS, SnapshotName, SnapshotType};

    #[test]
    fn what_is_written_is_read_back() {
        for kind in [SnapshotType::Pending, SnapshotType::Diff, SnapshotType::Full] {
            for (ordinal, shard, shard_count) in
                [(1, 0, 1), (10, 9, 10), (2, 10, 16), (MAX_ORDINAL, MAX_SHARDS - 1, MAX_SHARDS)]
            {
                let name = SnapshotName { ordinal, shard, shard_count, kind };
                assert_eq!(SnapshotName::parse(OsStr::new(&name.to_string())), Some(name));
            }
        }
        let name = SnapshotName { ordinal: 12, shard: 3, shard_count: 16, kind: SnapshotType::Full };
        assert_eq!(name.to_string(), "snapshot_12_3-of-16_full.bin");
    }

    #[test]
    fn every_other_name_is_none() {
        for name in [
            "",
            "snapshot_",
            ".bin",
            "snapshot_.bin",
            "snapshot_1_0-of-1_full",
            "snapshot_1_0-of-1_full.bin.tmp",
            "snapshot_1_0-of-1_full.BIN",
            "Snapshot_1_0-of-1_full.bin",
            "snapshot_0_0-of-1_full.bin",
            "snapshot_01_0-of-1_full.bin",
            "snapshot_1_00-of-1_full.bin",
            "snapshot_1_0-of-01_full.bin",
            "snapshot_+1_0-of-1_full.bin",
            "snapshot_-1_0-of-1_full.bin",
            "snapshot_ 1_0-of-1_full.bin",
            "snapshot_1_1-of-1_full.bin",
            "snapshot_1_0-of-0_full.bin",
            "snapshot_1_0-of-4097_full.bin",
            "snapshot_1_0-of-1_half.bin",
            "snapshot_1_0-of-1_full_.bin",
            "snapshot_1_0of1_full.bin",
            "snapshot_9007199254740992_0-of-1_full.bin",
            "snapshot_99999999999999999999999999_0-of-1_full.bin",
            "snapshot_1_0-of-99999999999999999999999999_full.bin",
            "snapshot_1_4294967296-of-4294967297_full.bin",
            "snapshot_١_0-of-1_full.bin",
        ] {
            assert_eq!(SnapshotName::parse(OsStr::new(name)), None, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf8_is_none() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(SnapshotName::parse(OsStr::from_bytes(b"snapshot_1_0-of-1_\xff.bin")), None);
    }
}
