//! The report of a verification: the problems one by one, as long as they are few, and how much was checked.

use std::path::Path;

use crate::Error;

/// One fault and its place, in the form that all rooms report.
pub use ledgerstone_format::{Damage as Problem, DamageKind as ProblemKind};

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files.
    pub files: u64,
    /// Bytes read from them.
    pub bytes: u64,
    /// Stored entries of state, catalogue and meta record.
    pub entries: u64,
    /// Events.
    pub events: u64,
}

/// The outcome of a verification.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The first problems, in the order of discovery.
    pub problems: Vec<Problem>,
    /// How much was checked.
    pub checked: Checked,
    /// Problems beyond the first [`Report::MAX_PROBLEMS`].
    pub omitted: u64,
}

impl Report {
    /// The maximum number of listed problems; the others are only counted.
    pub const MAX_PROBLEMS: usize = 1_000;

    /// Notes a problem.
    pub fn problem(&mut self, problem: Problem) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    /// Notes why `file` could not be checked.
    pub(crate) fn failure(&mut self, error: &Error, file: &Path) {
        let (kind, file, offset) = match error {
            Error::Corrupt { file, offset, .. } => (ProblemKind::Checksum, file.as_path(), Some(*offset)),
            Error::Format { .. } => (ProblemKind::Foreign, file, Some(0)),
            Error::Foreign { path, .. } => (ProblemKind::Foreign, path.as_path(), None),
            Error::Io(error) if error.is_not_found() => (ProblemKind::Missing, error.path.as_path(), None),
            Error::Io(error) => (ProblemKind::Io, error.path.as_path(), None),
            _ => (ProblemKind::Io, file, None),
        };
        self.problem(Problem { kind, file: file.to_path_buf(), offset, what: error.to_string() });
    }

    /// Notes that two parts contradict each other.
    pub(crate) fn contradiction(&mut self, file: &Path, what: String) {
        self.problem(Problem { kind: ProblemKind::Contradiction, file: file.to_path_buf(), offset: None, what });
    }

    /// The number of problems so far.
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
                what: "damaged".into(),
            };
            report.problem(problem);
        }
        assert!(!report.is_ok());
        assert_eq!((report.problems.len(), report.omitted), (1_000, 3));
        assert_eq!(report.problems.last().unwrap().offset, Some(999));
    }
}
