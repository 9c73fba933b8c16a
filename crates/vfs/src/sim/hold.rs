//! Flushes that take as long as a test wants, to show without timing what happens while one runs.

use std::{path::Path, time::Duration};

use parking_lot::MutexGuard;

use super::{disk::SimDisk, state::State};

/// Blocks `sync_data` calls, from [`SimDisk::hold_syncs`] until it is dropped. A blocked flush stores what was written before
/// it began, and nothing that was written while it waited.
#[derive(Debug)]
pub struct HeldSyncs {
    disk: SimDisk,
}

pub(super) struct Hold {
    name_prefix: String,
    waiting: u64,
    passes: u64,
}

impl SimDisk {
    /// Blocks `sync_data` on files opened under names beginning with `name_prefix`. A second hold replaces the first.
    #[must_use = "dropping it lets the flushes go"]
    pub fn hold_syncs(&self, name_prefix: &str) -> HeldSyncs {
        self.state.lock().hold = Some(Hold { name_prefix: name_prefix.to_owned(), waiting: 0, passes: 0 });
        HeldSyncs { disk: self.clone() }
    }

    /// Waits while a hold blocks it; other calls can use the disk during the wait.
    pub(super) fn wait_in_sync(&self, state: &mut MutexGuard<State>, path: &Path) {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        match &mut state.hold {
            Some(hold) if name.starts_with(hold.name_prefix.as_bytes()) => hold.waiting += 1,
            _ => return,
        }
        self.changed.notify_all();
        while let Some(hold) = &mut state.hold {
            if hold.passes > 0 {
                hold.passes -= 1;
                hold.waiting = hold.waiting.saturating_sub(1);
                break;
            }
            self.changed.wait(state);
        }
    }
}

impl HeldSyncs {
    /// Blocks until this many flushes wait. `false`: they did not come within ten seconds.
    #[must_use]
    pub fn wait_for(&self, flushes: u64) -> bool {
        let mut state = self.disk.state.lock();
        let missing = |state: &mut State| state.hold.as_ref().is_some_and(|hold| hold.waiting < flushes);
        !self.disk.changed.wait_while_for(&mut state, missing, Duration::from_secs(10)).timed_out()
    }

    /// How many flushes wait now.
    pub fn waiting(&self) -> u64 {
        self.disk.state.lock().hold.as_ref().map_or(0, |hold| hold.waiting)
    }

    /// Releases one flush: a waiting one, or else the next that comes.
    pub fn pass_one(&self) {
        if let Some(hold) = &mut self.disk.state.lock().hold {
            hold.passes += 1;
        }
        self.disk.changed.notify_all();
    }
}

impl Drop for HeldSyncs {
    fn drop(&mut self) {
        self.disk.state.lock().hold = None;
        self.disk.changed.notify_all();
    }
}
