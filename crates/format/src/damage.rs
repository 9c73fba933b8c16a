//! What a check of files has found wrong, as all rooms tell it. The file is a name here, nothing more.

use std::path::PathBuf;

/// Of what sort a damage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DamageKind {
    /// Bytes that do not have the checksum which stands with them.
    Checksum,
    /// A structure that cannot be right.
    Structure,
    /// What others promise is not there.
    Missing,
    /// Not of this store, or of a format that is not known.
    Foreign,
    /// It could not be read.
    Io,
    /// Two parts that are each sound and exclude each other.
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

/// What is wrong where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Of what sort it is.
    pub kind: DamageKind,
    /// The file, or the folder when a file is missing.
    pub file: PathBuf,
    /// Where in the file, in bytes, if that can be told.
    pub offset: Option<u64>,
    /// What it is and what it affects; no keys, no values.
    pub what: String,
}
