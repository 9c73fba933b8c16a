//! Verifies a store that is not open: everything that an opening reads, and all that it leaves for later. LMDB trusts what it
//! reads, so it is used only after each page of its file was found sound.

use std::path::Path;

use ledgerstone_format::Identity;

use super::{
    Problem, ProblemKind, Report,
    identity::{verify_clean_mark, verify_identity},
    keys::unknown_collection,
};
use crate::{
    Error, OpenOptions,
    catalog::STATE_ID,
    checkpoint::{Loaded, check_data_file, verify_unopened},
    error::Result,
    layout::Layout,
    recovery::{Ground, judge, judge_beginning, scan_from},
    registry::ground,
};

/// Verifies the store in the folder `path` without opening it. Locks it during that time: `ERR_LOCKED` when it is open, also in
/// this process. `ERR_NOT_FOUND` when there is no store. Blocks.
pub fn verify_closed(path: &Path, cancelled: &dyn Fn() -> bool) -> Result<Report> {
    ground().verify(path, cancelled)
}

impl Ground {
    fn verify(&self, path: &Path, cancelled: &dyn Fn() -> bool) -> Result<Report> {
        let layout = Layout::new(path);
        if !self.vfs.exists(path)? {
            return Err(Error::StoreNotFound { path: path.to_path_buf() });
        }
        layout.folder(&*self.vfs).check_kind()?;
        self.anchored(path)?.verify_folder(layout, cancelled)
    }

    fn verify_folder(&self, layout: Layout, cancelled: &dyn Fn() -> bool) -> Result<Report> {
        let vfs = &*self.vfs;
        if !self.has_anything(&layout)? {
            return Err(Error::StoreNotFound { path: layout.root });
        }
        let _lock = layout.folder(vfs).lock()?;
        let mut report = Report::default();
        let identity = verify_identity(vfs, &layout, &mut report);
        verify_clean_mark(vfs, &layout, &mut report);
        let loaded = self.verify_state(&layout, identity, &mut report, cancelled)?;
        if let (Some(identity), false) = (identity, cancelled()) {
            self.verify_history(&layout, identity, loaded.as_ref(), &mut report, cancelled);
        }
        Ok(report)
    }

    /// Whether a store was ever made here. Unreadable files count: the verification reports why.
    fn has_anything(&self, layout: &Layout) -> Result<bool> {
        let frames = || ledgerstone_journal::holds_frames(&*self.vfs, &layout.journal()).unwrap_or(true);
        let events = || ledgerstone_event_log::holds_events(&*self.vfs, &layout.events()).unwrap_or(true);
        Ok(self.vfs.exists(&layout.folder(&*self.vfs).identity_path())? || frames() || events())
    }

    /// Walks LMDB's file; then, if it is sound, reads its records through LMDB.
    fn verify_state(
        &self,
        layout: &Layout,
        identity: Option<Identity>,
        report: &mut Report,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Loaded>> {
        let (vfs, state) = (&self.vfs, layout.state());
        let file = state.join("data.mdb");
        if !vfs.exists(&file)? {
            let what = "the state file is missing".to_owned();
            report.problem(Problem { kind: ProblemKind::Missing, file, offset: None, what });
            return Ok(None);
        }
        let before = report.found();
        // The checks of an opening, then every page.
        let looked = check_data_file(&**vfs, &file);
        let looked = looked.and_then(|()| verify_unopened(&**vfs, &file, report, cancelled));
        if let Err(error) = looked {
            report.failure(&error, &file);
        }
        if report.found() > before || cancelled() {
            return Ok(None);
        }
        let checkpoint = match (self.open_checkpoint)(vfs, &state, &OpenOptions::default().settings()?) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                report.failure(&error, &file);
                return Ok(None);
            }
        };
        let loaded = checkpoint.load().and_then(|loaded| {
            let next_id = loaded.meta.as_ref().map_or(0, |meta| meta.next_collection_id);
            // An unfinished flush has written keys before the entry of their collection.
            let is_in_the_making = |id| loaded.unfinished_seq > 0 && id >= next_id;
            let is_stored = |id| loaded.catalog.iter().any(|entry| entry.id == id);
            let known = |id| id == STATE_ID || is_stored(id) || is_in_the_making(id);
            if let Some(id) = unknown_collection(&*checkpoint.begin()?, &known)? {
                report.contradiction(&file, format!("keys of an unknown collection: id={id}"));
            }
            let found = loaded.meta.as_ref().map(|meta| meta.store_id);
            if let (Some(found), Some(identity)) = (found, identity)
                && found != identity.id
            {
                report.contradiction(&file, format!("the state belongs to another store: found={found}"));
            }
            Ok(loaded)
        });
        checkpoint.close();
        Ok(loaded.inspect_err(|error| report.failure(error, &file)).ok())
    }

    /// Verifies the journal and the log against each other and against the state, if that is known.
    fn verify_history(
        &self,
        layout: &Layout,
        identity: Identity,
        loaded: Option<&Loaded>,
        report: &mut Report,
        cancelled: &dyn Fn() -> bool,
    ) {
        let (vfs, id) = (&self.vfs, identity.id);
        let (events, journal) = (layout.events(), layout.journal());
        let before = report.found();
        let log = ledgerstone_event_log::verify(vfs, &events, id, &mut |it| report.problem(it), cancelled);
        report.checked.files += log.files;
        report.checked.bytes += log.bytes;
        report.checked.events += log.events;
        let log_is_sound = report.found() == before;

        let mark = layout.folder(&**vfs).clean_mark(id).ok().flatten();
        let log_end = if log_is_sound { log.next_event_id } else { 0 };
        let from = loaded.map(|loaded| scan_from(loaded, mark, log_end));
        let frames = ledgerstone_journal::verify(vfs, &journal, id, from, &mut |it| report.problem(it), cancelled);
        report.checked.files += frames.files;
        report.checked.bytes += frames.bytes;

        if let (Some(loaded), true, false) = (loaded, log_is_sound, cancelled()) {
            let meta = loaded.meta.as_ref();
            let next_event_id = meta.map_or(1, |meta| meta.next_event_id);
            // That the journal reaches the log's end is part of its promise.
            let oldest = meta.map_or(1, |meta| meta.oldest_event_id).max(log.horizon.unwrap_or_default());
            let outcome = judge_beginning(layout, oldest, log.oldest_event_id)
                .and_then(|()| judge(layout, next_event_id, log.next_event_id, u64::MAX));
            if let Err(error) = outcome {
                report.failure(&error, &events);
            }
        }
    }
}
