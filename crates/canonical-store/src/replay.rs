//! Applies the journal's frames after the checkpoint, one by one. Changes no file.

use ledgerstone_format::{PlantedFault, planted, sealed_record::text};
use ledgerstone_journal::{Frame, FrameKind, OpKind};

use crate::{
    Error,
    catalog::{Catalog, CatalogEntry},
    checkpoint::Loaded,
    delta::StoreDelta,
    error::Result,
    layout::Layout,
    options::Settings,
    write::{EVENT_CODEC_KEY, OLDEST_EVENT_KEY},
};

/// The result of replaying the journal on the checkpoint.
pub(crate) struct Replayed {
    pub(crate) delta: StoreDelta,
    pub(crate) catalog: Catalog,
    pub(crate) event_codec: String,
    pub(crate) frames: u64,
    pub(crate) last_seq: u64,
    pub(crate) next_event_id: u64,
    pub(crate) oldest_event_id: u64,
    pub(crate) sealed_event_id: Option<u64>,
    pub(crate) last_timestamp_ms: u64,
}

impl Replayed {
    pub(crate) fn start(loaded: &Loaded, settings: &Settings) -> Self {
        let meta = loaded.meta.as_ref();
        let next_event_id = meta.map_or(1, |meta| meta.next_event_id);
        Self {
            delta: StoreDelta::new(next_event_id, settings.flush_bytes),
            catalog: Catalog::new(loaded.catalog.clone(), meta.map_or(0, |meta| meta.next_collection_id)),
            event_codec: meta.map_or_else(String::new, |meta| meta.event_codec.clone()),
            frames: 0,
            last_seq: meta.map_or(0, |meta| meta.applied_seq),
            next_event_id,
            oldest_event_id: meta.map_or(1, |meta| meta.oldest_event_id),
            sealed_event_id: meta.and_then(|meta| meta.sealed_event_id),
            last_timestamp_ms: meta.map_or(0, |meta| meta.last_timestamp_ms),
        }
    }

    /// Applies the next frame.
    pub(crate) fn add(&mut self, frame: &Frame, layout: &Layout) -> Result<()> {
        let damaged = |what: &str| Error::corrupt(layout.journal(), 0, format!("{what}: seq={}", frame.seq()));
        match frame.kind() {
            FrameKind::Commit if self.sealed_event_id.is_some() => return Err(damaged("a commit follows a seal")),
            FrameKind::Commit | FrameKind::Trim => {}
            FrameKind::Seal if planted(PlantedFault::SealNotReplayed) => {}
            FrameKind::Seal => self.sealed_event_id = Some(frame.first_event_id().saturating_sub(1)),
            FrameKind::Unseal => self.sealed_event_id = None,
        }
        if frame.timestamp_ms() < self.last_timestamp_ms {
            return Err(damaged("the time of a frame goes back"));
        }
        for op in frame.ops() {
            let key = frame.bytes().get(op.key).unwrap_or_default();
            let value = frame.bytes().get(op.value).unwrap_or_default();
            match op.kind {
                OpKind::Put | OpKind::Delete => {}
                OpKind::CreateCollection => {
                    let mut reader = ledgerstone_format::ByteReader::new(value);
                    let (Some(key_codec), Some(value_codec)) = (text(&mut reader), text(&mut reader)) else {
                        return Err(damaged("a frame makes a collection without codecs"));
                    };
                    let name = String::from_utf8(key.to_vec()).map_err(|_| damaged("a collection has no name"))?;
                    let created_seq = frame.seq();
                    let id = op.collection;
                    self.catalog.create(CatalogEntry { id, name, key_codec, value_codec, created_seq, dropped_seq: 0 });
                }
                OpKind::DropCollection => self.catalog.drop_at(op.collection, frame.seq()),
                OpKind::SetMeta if key == EVENT_CODEC_KEY => {
                    self.event_codec = String::from_utf8(value.to_vec()).map_err(|_| damaged("a codec has no name"))?;
                }
                OpKind::SetMeta if key == OLDEST_EVENT_KEY && frame.kind() == FrameKind::Trim => {
                    let oldest = value.try_into().map(u64::from_le_bytes);
                    let oldest = oldest.map_err(|_| damaged("a trim tells no event"))?;
                    if oldest > frame.first_event_id() {
                        return Err(damaged("a trim reaches beyond the last event"));
                    }
                    self.oldest_event_id = self.oldest_event_id.max(oldest);
                }
                OpKind::SetMeta => return Err(damaged("a frame sets an unknown field")),
            }
        }
        self.delta.insert(frame);
        self.frames += 1;
        self.last_seq = frame.seq();
        self.next_event_id = frame.first_event_id() + u64::from(frame.event_count());
        self.last_timestamp_ms = frame.timestamp_ms();
        Ok(())
    }
}
