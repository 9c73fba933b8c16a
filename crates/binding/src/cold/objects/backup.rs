//! What a backup and a restore have come to, as plain objects.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_canonical_store::{BackupInfo, RestoreInfo};
use napi_derive::napi;

use crate::number::number;

/// How far a backup or a restore has come.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeProgress {
    #[napi(ts_type = "'begun' | 'copying' | 'publishing' | 'verifying' | 'building'")]
    pub phase: String,
    pub done_bytes: f64,
    pub total_bytes: f64,
}

/// A backup that was made.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeBackupInfo {
    pub ordinal: f64,
    pub seq: f64,
    pub next_event_id: f64,
    pub entries: f64,
    pub events: f64,
    pub bytes: f64,
    pub files: Vec<String>,
    pub duration_ms: f64,
}

/// A store that was restored, or a backup that holds: then it has no `storeId`.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeRestoreInfo {
    pub store_id: Option<String>,
    pub source_store_id: String,
    pub seq: f64,
    pub next_event_id: f64,
    pub entries: f64,
    pub events: f64,
    pub bytes: f64,
}

impl From<BackupInfo> for NativeBackupInfo {
    fn from(info: BackupInfo) -> Self {
        Self {
            ordinal: number(info.ordinal),
            seq: number(info.seq),
            next_event_id: number(info.next_event_id),
            entries: number(info.entries),
            events: number(info.events),
            bytes: number(info.bytes),
            files: info.files.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            duration_ms: info.took.as_secs_f64() * 1_000.0,
        }
    }
}

impl From<RestoreInfo> for NativeRestoreInfo {
    fn from(info: RestoreInfo) -> Self {
        Self {
            store_id: info.store_id,
            source_store_id: info.source_store_id,
            seq: number(info.seq),
            next_event_id: number(info.next_event_id),
            entries: number(info.entries),
            events: number(info.events),
            bytes: number(info.bytes),
        }
    }
}
