//! A snapshot set's snapshots, its listing, and what opening it found, as plain objects.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use ledgerstone_snapshot_set::SnapshotInfo;
use napi_derive::napi;

use crate::number::number;

/// One snapshot.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeSnapshotInfo {
    #[napi(ts_type = "'diff' | 'full' | 'pending'")]
    pub r#type: String,
    pub ordinal: f64,
    pub shard_paths: Vec<String>,
}

/// All that is in a set's folder.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeListing {
    pub snapshots: Vec<NativeSnapshotInfo>,
    pub foreign: Vec<String>,
}

/// A snapshot that cannot be restored from.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeSnapshotDamage {
    pub ordinal: f64,
    #[napi(ts_type = "'diff' | 'full' | 'pending'")]
    pub r#type: String,
    pub file: String,
    pub message: String,
}

/// What opening a set found.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeSetRecovery {
    pub finished: Vec<f64>,
    pub undone: Vec<f64>,
    pub damaged: Vec<NativeSnapshotDamage>,
}

impl From<SnapshotInfo> for NativeSnapshotInfo {
    fn from(info: SnapshotInfo) -> Self {
        let shard_paths = info.shard_paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        Self { r#type: info.kind.as_str().to_owned(), ordinal: number(info.ordinal), shard_paths }
    }
}

pub(crate) fn infos(snapshots: Vec<SnapshotInfo>) -> Vec<NativeSnapshotInfo> {
    snapshots.into_iter().map(NativeSnapshotInfo::from).collect()
}
