//! Reads the whole of LMDB's file and checks it while the flusher keeps writing. A read transaction is held all the time: LMDB
//! does not overwrite the pages of its state before it ends, and a read of the file shows what LMDB has written.

use std::path::Path;

use ledgerstone_vfs::{OpenHow, Vfs, VfsFile};

use super::page_walk::{Finding, META_BYTES, MetaPage, PageWalk, meta_pages};
use crate::{
    error::Result,
    verify::{Problem, ProblemKind, Report},
};

/// Two commits later the meta page of a held state is overwritten, and another state is taken.
const ATTEMPTS: usize = 1_000;

/// Verifies the state that `pin` holds: the number of its transaction, and its guard. Only a failure of `pin` is an error.
pub(super) fn verify_data_file<P>(
    vfs: &dyn Vfs,
    path: &Path,
    pin: &dyn Fn() -> Result<(u64, P)>,
    report: &mut Report,
    cancelled: &dyn Fn() -> bool,
) -> Result<()> {
    let file = match vfs.open(path, OpenHow::Read) {
        Ok(file) => file,
        Err(error) => {
            let kind = if error.is_not_found() { ProblemKind::Missing } else { ProblemKind::Io };
            report.problem(Problem { kind, file: path.to_path_buf(), offset: None, what: error.to_string() });
            return Ok(());
        }
    };
    report.checked.files += 1;
    let (meta, _pin) = match pinned_meta_page(&*file, pin)? {
        Ok(pinned) => pinned,
        Err(finding) => {
            report.problem(problem(path, finding));
            return Ok(());
        }
    };
    walk(&*file, path, &meta, report, cancelled);
    Ok(())
}

/// Verifies the newest state of a file that is not open.
pub(crate) fn verify_unopened(
    vfs: &dyn Vfs,
    path: &Path,
    report: &mut Report,
    cancelled: &dyn Fn() -> bool,
) -> Result<()> {
    let file = vfs.open(path, OpenHow::Read)?;
    report.checked.files += 1;
    match meta_pages(&*file) {
        Ok([first, second]) => {
            let newest = if second.transaction > first.transaction { second } else { first };
            walk(&*file, path, &newest, report, cancelled);
        }
        Err(finding) => report.problem(problem(path, finding)),
    }
    Ok(())
}

fn walk(file: &dyn VfsFile, path: &Path, meta: &MetaPage, report: &mut Report, cancelled: &dyn Fn() -> bool) {
    let len = match file.len() {
        Ok(len) => len,
        Err(error) => return report.problem(problem(path, Finding::Unreadable { offset: 0, error })),
    };
    let mut tell = |finding| report.problem(problem(path, finding));
    let Some(mut walk) = PageWalk::new(file, len, meta, &mut tell, cancelled) else { return };
    let entries = walk.all_but_state().map_or(0, |databases| walk.state(&databases));
    let bytes = walk.bytes();
    report.checked.entries += entries;
    report.checked.bytes += bytes + 2 * META_BYTES as u64;
}

/// The meta page of a held state.
fn pinned_meta_page<P>(
    file: &dyn VfsFile,
    pin: &dyn Fn() -> Result<(u64, P)>,
) -> Result<std::result::Result<(MetaPage, P), Finding>> {
    let mut last = Finding::structure(0, "no meta page is of the transaction that LMDB reads");
    for _ in 0..ATTEMPTS {
        let (transaction, pin) = pin()?;
        // Read twice: a page that is being written may be seen in part.
        match meta_pages(file).and_then(|pages| Ok((pages, meta_pages(file)?))) {
            Ok((pages, again)) if pages == again => {
                if let Some(meta) = pages.into_iter().find(|meta| meta.transaction == transaction) {
                    return Ok(Ok((meta, pin)));
                }
            }
            Ok(_) => {}
            Err(finding) => last = finding,
        }
    }
    Ok(Err(last))
}

fn problem(path: &Path, finding: Finding) -> Problem {
    let (kind, offset, what) = match finding {
        Finding::Damage { kind, offset, what } => (kind, offset, what.to_owned()),
        Finding::Unreadable { offset, error } => (ProblemKind::Io, offset, error.to_string()),
    };
    Problem { kind, file: path.to_path_buf(), offset: Some(offset), what }
}
