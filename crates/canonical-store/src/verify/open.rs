//! Verifies an open store while commits and flushes continue. Each part is checked up to its mark, read when its turn comes.
//! The order of the parts leaves no gap: a commit that is flushed after the journal's turn is in the log and in the checkpoint
//! at their turns.

use std::{collections::HashSet, sync::atomic::Ordering};

use super::{
    Problem, ProblemKind, Report,
    identity::{verify_clean_mark, verify_identity},
    keys::unknown_collection,
};
use crate::{Store, error::Result};

impl Store {
    /// Reads and checks everything. Damage is in the report; an error means that the store has been closed. Ends early, with
    /// what it has found so far, once `cancelled` returns true. Works also after writing has stopped. Blocks, and reads all files.
    pub fn verify(&self, cancelled: &dyn Fn() -> bool) -> Result<Report> {
        self.check_open()?;
        let cancelled = &|| cancelled() || self.closing.load(Ordering::Acquire);
        let mut report = Report::default();
        self.verify_small_files(&mut report);

        let journal = self.journal.verify(self.coordinator.flushed_seq(), &mut |it| report.problem(it), cancelled);
        report.checked.files += journal.files;
        report.checked.bytes += journal.bytes;

        let log = self.log.verify(&mut |damage| report.problem(damage), cancelled);
        report.checked.files += log.files;
        report.checked.bytes += log.bytes;
        report.checked.events += log.events;

        let before = report.found();
        let flushed = self.coordinator.flushed_seq();
        if !cancelled() {
            self.checkpoint.verify(&mut report, cancelled)?;
        }
        // Only a sound file may be read through LMDB.
        if report.found() == before && !cancelled() {
            self.compare_parts(flushed, &mut report)?;
        }
        self.check_open()?;
        Ok(report)
    }

    fn verify_small_files(&self, report: &mut Report) {
        let file = self.layout.folder(&*self.vfs).identity_path();
        match verify_identity(&*self.vfs, &self.layout, report) {
            Some(identity) if identity != self.identity => {
                let what = format!("the identity file is another store's: found={}", identity.id);
                report.problem(Problem { kind: ProblemKind::Foreign, file, offset: Some(0), what });
            }
            _ => {}
        }
        verify_clean_mark(&*self.vfs, &self.layout, report);
    }

    /// Checks that the meta record agrees with the journal (I2), the log and the catalogue.
    fn compare_parts(&self, flushed: u64, report: &mut Report) -> Result<()> {
        let state = self.layout.state();
        let loaded = match self.checkpoint.load() {
            Ok(loaded) => loaded,
            Err(error) => {
                report.failure(&error, &state);
                return Ok(());
            }
        };
        let applied = loaded.meta.as_ref().map_or(0, |meta| meta.applied_seq);
        let (durable, log_end) = (self.journal.durable(), self.log.next_event_id());
        if applied < flushed {
            let what = format!("the state is older than what was flushed: applied_seq={applied} flushed={flushed}");
            report.contradiction(&state, what);
        }
        if applied > durable {
            let what = format!("the journal is behind the state: applied_seq={applied} durable={durable}");
            report.contradiction(&self.layout.journal(), what);
        }
        if let Some(meta) = &loaded.meta {
            if meta.store_id != self.identity.id {
                report.contradiction(&state, format!("the state belongs to another store: found={}", meta.store_id));
            }
            if meta.next_event_id > log_end {
                let next = meta.next_event_id;
                let what = format!("the event log ends too early: next={log_end} promised={next}");
                report.contradiction(&self.layout.events(), what);
            }
        }
        // Both before the transaction is begun and after: it may see collections that were forgotten in between, and ones that were made.
        let mut ids: HashSet<u32> = self.catalog.with(|catalog| catalog.ids().collect());
        let read = self.checkpoint.begin()?;
        ids.extend(self.catalog.with(|catalog| catalog.ids().collect::<Vec<_>>()));
        let known = |id| ids.contains(&id);
        match unknown_collection(&*read, &known) {
            Ok(None) => {}
            Ok(Some(id)) => report.contradiction(&state, format!("keys of an unknown collection: id={id}")),
            Err(error) => report.failure(&error, &state),
        }
        Ok(())
    }
}
