//! What a verification has found: the problems one by one, as far as they are few, and how much was looked at.

use std::path::{Path, PathBuf};

use ledgerstone_format::{Damage, DamageKind};

use crate::Error;

/// Of what sort a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// Bytes that do not have the checksum which stands with them.
    Checksum,
    /// A structure that cannot be right: lengths, orders, counts, references.
    Structure,
    /// What others promise is not there.
    Missing,
    /// Not of this store.
    Foreign,
    /// It could not be read.
    Io,
    /// Two parts that are each sound and exclude each other.
    Contradiction,
}

impl ProblemKind {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
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
pub struct Problem {
    /// Of what sort it is.
    pub kind: ProblemKind,
    /// The file, or the folder if a file is missing.
    pub file: PathBuf,
    /// Where in the file, in bytes, if that can be told.
    pub offset: Option<u64>,
    /// What happened, in lower case, then the variables. No keys, no values.
    pub message: String,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files.
    pub files: u64,
    /// Bytes of them that were read.
    pub bytes: u64,
    /// Stored entries of state, catalogue and meta record.
    pub entries: u64,
    /// Events.
    pub events: u64,
}

/// The outcome of a verification.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The first problems, in the order in which they were found.
    pub problems: Vec<Problem>,
    /// How much was looked at.
    pub checked: Checked,
    /// Problems beyond the first [`Report::MAX_PROBLEMS`].
    pub omitted: u64,
}

impl Report {
    /// Problems that are listed; the others are counted.
    pub const MAX_PROBLEMS: usize = 1_000;

    /// Notes a problem.
    pub fn problem(&mut self, problem: Problem) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    /// Notes what a part of the store has found.
    pub fn damage(&mut self, damage: Damage) {
        let kind = match damage.kind {
            DamageKind::Checksum => ProblemKind::Checksum,
            DamageKind::Structure => ProblemKind::Structure,
            DamageKind::Missing => ProblemKind::Missing,
            DamageKind::Foreign => ProblemKind::Foreign,
            DamageKind::Io => ProblemKind::Io,
            DamageKind::Contradiction => ProblemKind::Contradiction,
        };
        self.problem(Problem { kind, file: damage.file, offset: damage.offset, message: damage.what });
    }

    /// Notes why `file` could not be looked at.
    pub(crate) fn failure(&mut self, error: &Error, file: &Path) {
        let (kind, file, offset) = match error {
            Error::Corrupt { file, offset, .. } => (ProblemKind::Checksum, file.as_path(), Some(*offset)),
            Error::Format { .. } => (ProblemKind::Foreign, file, Some(0)),
            Error::Io(error) if error.is_not_found() => (ProblemKind::Missing, error.path.as_path(), None),
            Error::Io(error) => (ProblemKind::Io, error.path.as_path(), None),
            _ => (ProblemKind::Io, file, None),
        };
        self.problem(Problem { kind, file: file.to_path_buf(), offset, message: error.to_string() });
    }

    /// Notes that two parts exclude each other.
    pub(crate) fn contradiction(&mut self, file: &Path, message: String) {
        self.problem(Problem { kind: ProblemKind::Contradiction, file: file.to_path_buf(), offset: None, message });
    }

    /// How many problems there are so far.
    pub(crate) fn found(&self) -> u64 {
        self.problems.len() as u64 + self.omitted
    }

    /// Whether nothing was found.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, ProblemKind, Report};

    #[test]
    fn problems_are_listed_up_to_a_limit_and_counted_beyond() {
        let mut report = Report::default();
        assert!(report.is_ok());
        for offset in 0..1_003 {
            let problem = Problem {
                kind: ProblemKind::Checksum,
                file: "file".into(),
                offset: Some(offset),
                message: "damaged".into(),
            };
            report.problem(problem);
        }
        assert!(!report.is_ok());
        assert_eq!((report.problems.len(), report.omitted), (1_000, 3));
        assert_eq!(report.problems.last().unwrap().offset, Some(999));
    }
}
