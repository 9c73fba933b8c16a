//! A store made from a backup, in a folder without an owner: with a new identity, as a store that was closed at the backup's last commit.

use std::{path::Path, sync::Arc};

use ledgerstone_event_log::{EventIn, EventLog};
use ledgerstone_format::{CleanMark, Identity, StoreId};
use ledgerstone_journal::begin_behind;

use super::{
    job::{JobPhase, Step},
    shard_head::{BLOCK_BYTES, ShardKind},
    verify::Backup,
};
use crate::{
    OpenOptions,
    checkpoint::{Batch, Checkpoint, Filling},
    delta::StoreDelta,
    error::Result,
    layout::Layout,
    meta::MetaRecord,
    options::Settings,
    recovery::Ground,
};

/// Gives the checkpoint's handles back, whatever happens: the folder is to be renamed.
struct Closing(Arc<dyn Checkpoint>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Ground {
    /// Makes the store in the folder at `path`, durably. Its id.
    pub(super) fn build(&self, path: &Path, backup: &Backup<'_>) -> Step<StoreId> {
        let manifest = &backup.manifest;
        backup.job.begin(JobPhase::Building, manifest.file_bytes());
        let ground = self.anchored(path)?;
        let (vfs, layout) = (&ground.vfs, Layout::new(path));
        let settings = OpenOptions::default().settings()?;
        let folder = layout.folder(&**vfs);
        let identity = Identity::of_store((ground.new_id)(&**vfs), manifest.created_at_ms);
        let prepared = folder.prepare(&identity)?;
        for part in [layout.journal(), layout.events(), layout.state()] {
            vfs.create_dir(&part)?;
        }
        vfs.sync_dir(path)?;
        ground.build_events(&layout, &settings, identity.id, backup)?;
        ground.build_state(&layout, &settings, &identity, backup)?;
        let mark = CleanMark { seq: manifest.seq, next_event_id: manifest.next_event_id, closed_at_ms: 0 };
        folder.leave_clean_mark(identity.id, &mark)?;
        folder.establish(&prepared)?;
        Ok(identity.id)
    }

    fn build_events(&self, layout: &Layout, settings: &Settings, id: StoreId, backup: &Backup<'_>) -> Step<()> {
        let first = backup.manifest.oldest_event_id;
        let log_options = Self::log_options(settings);
        let log = EventLog::create(Arc::clone(&self.vfs), &layout.events(), id, log_options, first)?;
        log.set_wall_ms(self.clock.wall_ms());
        let mut gathered = Gathered::default();
        for place in backup.places_of(ShardKind::Events) {
            backup.each_event(place, &mut |event| {
                gathered.push(event.timestamp_ms, &event.payload, &layout.root)?;
                if gathered.bytes.len() < BLOCK_BYTES { Ok(()) } else { Ok(gathered.append_to(&log)?) }
            })?;
        }
        gathered.append_to(&log)?;
        Ok(log.rest()?)
    }

    fn build_state(&self, layout: &Layout, settings: &Settings, identity: &Identity, backup: &Backup<'_>) -> Step<()> {
        let manifest = &backup.manifest;
        let checkpoint = Closing((self.open_checkpoint)(&self.vfs, &layout.state(), settings)?);
        let checkpoint = &*checkpoint.0;
        let mut filling = Filling::default();
        for place in backup.places_of(ShardKind::State) {
            backup.each_entry(place, &mut |entry| {
                filling.push(&entry.full_key, manifest.seq, &entry.value)?;
                if filling.is_full() {
                    checkpoint.fill(&filling)?;
                    filling.clear();
                }
                Ok(())
            })?;
        }
        checkpoint.fill(&filling)?;
        drop(filling);
        if manifest.seq == 0 {
            return Ok(());
        }
        let journal = layout.journal();
        let position = begin_behind(&*self.vfs, &journal, identity.id, manifest.seq, manifest.crc)?;
        let meta = MetaRecord {
            store_id: identity.id,
            applied_seq: manifest.seq,
            position: Some(position),
            next_event_id: manifest.next_event_id,
            oldest_event_id: manifest.oldest_event_id,
            sealed_event_id: None,
            last_timestamp_ms: manifest.last_timestamp_ms,
            next_collection_id: manifest.next_collection_id,
            schema_version: manifest.schema_version,
            created_at_ms: identity.created_at_ms,
            updated_at_ms: manifest.last_timestamp_ms,
            epoch: 1,
            event_codec: manifest.event_codec.clone(),
        };
        let batch = Batch {
            delta: &StoreDelta::new(0, settings.flush_bytes),
            meta,
            catalog: manifest.collections.iter().cloned().map(Arc::new).collect(),
            dropped: std::collections::HashSet::new(),
        };
        Ok(checkpoint.write(&batch, &|_| {})?)
    }
}

/// Events that are appended together.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    /// The time of each event, and where it ends.
    ends: Vec<(u64, usize)>,
}

impl Gathered {
    fn push(&mut self, timestamp_ms: u64, payload: &[u8], folder: &Path) -> Step<()> {
        self.bytes.try_reserve(payload.len()).map_err(|_| super::job::no_memory("pwrite", folder))?;
        self.bytes.extend_from_slice(payload);
        self.ends.push((timestamp_ms, self.bytes.len()));
        Ok(())
    }

    fn append_to(&mut self, log: &EventLog) -> Result<()> {
        let mut start = 0;
        let mut events = self.ends.iter().map(|(timestamp_ms, end)| {
            let bytes = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            EventIn { timestamp_ms: *timestamp_ms, bytes }
        });
        log.append(&mut events, log.next_event_id())?;
        self.ends.clear();
        self.bytes.clear();
        self.bytes.shrink_to(2 * BLOCK_BYTES);
        Ok(())
    }
}
