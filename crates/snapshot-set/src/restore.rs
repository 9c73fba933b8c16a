//! What to restore: the newest undamaged full snapshot, and every later diff, in the order of the numbers. Never a chain with a gap.

use crate::{
    Error, FileSnapshotSet, Result, SnapshotInfo,
    set_state::{SetState, SnapshotDamage},
    snapshot_name::SnapshotType,
};

impl FileSnapshotSet {
    /// The snapshots to restore, in order: the newest full one and every later diff; without a full one all diffs. When the
    /// newest full one is damaged, the one before it and its diffs; [`FileSnapshotSet::recovery`] reports that.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when no full one is intact, and when there is a gap: a diff is damaged, or was removed when a later
    /// full snapshot was published.
    pub fn snapshots_to_restore(&self) -> Result<Vec<SnapshotInfo>> {
        self.check_open()?;
        let state = self.state.read();
        state.check()?;
        let base = state.base().map(|(ordinal, _)| ordinal);
        let from = base.unwrap_or(0);
        // Without any full snapshot the diffs are everything. If one was lost they are not: it may have been the beginning.
        let has_full = state.of_type(SnapshotType::Full).next().is_some();
        if from < state.manifest.diffs_gone || (base.is_none() && has_full) {
            return Err(self.gap(&state, from));
        }
        let mut chain: Vec<u64> = base.into_iter().collect();
        let diffs = state.manifest.entries.iter().filter(|(_, entry)| entry.kind == SnapshotType::Diff);
        chain.extend(diffs.map(|(ordinal, _)| *ordinal).filter(|ordinal| *ordinal > from));
        if let Some(damage) = chain.iter().find_map(|ordinal| state.damage.get(ordinal)) {
            return Err(of_damage(damage, "a diff that a restore needs is damaged"));
        }
        chain.into_iter().map(|ordinal| state.info(&self.folder, ordinal)).collect()
    }

    /// Names the full snapshot whose damage causes the gap.
    fn gap(&self, state: &SetState, from: u64) -> Error {
        let gone = state.manifest.diffs_gone;
        let why = match from {
            0 => "no full snapshot is left that holds".to_owned(),
            _ => format!(
                "diffs were removed that the newest full snapshot that holds needs: snapshot={from} removed={gone}"
            ),
        };
        let damaged = state.of_type(SnapshotType::Full).find_map(|(ordinal, _)| state.damage.get(&ordinal));
        damaged.map_or_else(|| Error::corrupt(&self.folder.path, &why), |damage| of_damage(damage, &why))
    }
}

fn of_damage(damage: &SnapshotDamage, why: &str) -> Error {
    Error::corrupt(&damage.file, format!("{why}: {}", damage.what))
}
