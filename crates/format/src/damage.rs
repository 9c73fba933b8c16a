//! Damage that a check of files has found, in the form that all rooms report. The file is only a name here.

use std::path::PathBuf;

/// The kind of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DamageKind {
    /// Bytes that do not match their checksum.
    Checksum,
    /// An impossible structure.
    Structure,
    /// Something that other files promise is missing.
    Missing,
    /// Of another store, or of an unknown format.
    Foreign,
    /// A read failed.
    Io,
    /// Two parts, each sound, that contradict each other.
    Contradiction,
}

impl DamageKind {
    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Structure => "structure",
            Self::Missing => "missing",
            Self::Foreign => "foreign",
            Self::Io => "io",
            Self::Contradiction => "contradiction",
        }
    }
}

/// One damage and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its kind.
    pub kind: DamageKind,
    /// The file; the folder when a file is missing.
    pub file: PathBuf,
    /// Offset in the file, in bytes, if known.
    pub offset: Option<u64>,
    /// What it is and what it affects; no keys, no values.
    pub what: String,
}
