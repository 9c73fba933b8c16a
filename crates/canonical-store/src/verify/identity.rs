//! Verifies the small files of a store: the identity, and the clean mark if there is one.

use ledgerstone_format::Identity;
use ledgerstone_vfs::Vfs;

use super::{Problem, ProblemKind, Report};
use crate::layout::Layout;

/// Reads the identity; a missing or damaged one is a problem.
pub(super) fn verify_identity(vfs: &dyn Vfs, layout: &Layout, report: &mut Report) -> Option<Identity> {
    let folder = layout.folder(vfs);
    let file = folder.identity_path();
    report.checked.files += 1;
    match folder.identity() {
        Ok(Some(identity)) => return Some(identity),
        Ok(None) => {
            let what = "the identity file is missing from a store that has data".to_owned();
            report.problem(Problem { kind: ProblemKind::Missing, file, offset: None, what });
        }
        Err(error) => report.failure(&error.into(), &file),
    }
    None
}

/// A damaged mark loses nothing: it counts as missing. But the disk has changed what was written.
pub(super) fn verify_clean_mark(vfs: &dyn Vfs, layout: &Layout, report: &mut Report) {
    let folder = layout.folder(vfs);
    let file = folder.clean_mark_path();
    match folder.clean_mark_is_damaged() {
        Ok(false) => {}
        Ok(true) => {
            let what = "the mark of a clean close is damaged, no data is affected".to_owned();
            report.problem(Problem { kind: ProblemKind::Checksum, file, offset: Some(0), what });
        }
        Err(error) => report.failure(&error.into(), &file),
    }
}
