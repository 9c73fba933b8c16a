//! The record of the calls on a disk: counts for tests that count, and a hash that distinguishes two histories.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use super::{
    content::PAGE_BYTES,
    fault::SimOp,
    incident::{Incident, Mishap},
    random::mix,
};

/// The calls on a disk since it was made. Failed calls count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimCounts {
    /// Calls of every kind that can be planned to fail: the range for [`SimOp::Any`].
    pub calls: u64,
    /// `read_at`.
    pub reads: u64,
    /// `write_at`.
    pub writes: u64,
    /// `sync_data`.
    pub syncs: u64,
    /// `sync_dir`.
    pub dir_syncs: u64,
    /// `rename`.
    pub renames: u64,
    /// Bytes that `write_at` took.
    pub bytes_written: u64,
    /// Bytes that `read_at` gave.
    pub bytes_read: u64,
    /// `check_in_place` of files.
    pub place_checks: u64,
}

#[derive(Default)]
pub(super) struct Trace {
    pub(super) counts: SimCounts,
    pub(super) hash: u64,
    pub(super) syncs_by_name: BTreeMap<OsString, u64>,
    pub(super) incidents: Vec<Incident>,
    /// One line per call, if recording was started.
    pub(super) lines: Option<Vec<String>>,
}

/// A traced call: path, offset, bytes.
pub(super) struct Call<'a> {
    pub(super) op: SimOp,
    pub(super) syscall: &'static str,
    pub(super) path: &'a Path,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) bytes: &'a [u8],
}

impl<'a> Call<'a> {
    pub(super) fn on(op: SimOp, syscall: &'static str, path: &'a Path) -> Self {
        Self { op, syscall, path, offset: 0, len: 0, bytes: &[] }
    }
}

impl Trace {
    pub(super) fn befell(&mut self, op: SimOp, mishap: Mishap) {
        self.incidents.push(Incident { op, mishap });
    }

    pub(super) fn note(&mut self, call: &Call) {
        self.counts.calls += 1;
        match call.op {
            SimOp::Read => self.counts.reads += 1,
            SimOp::Write => self.counts.writes += 1,
            SimOp::SyncDir => self.counts.dir_syncs += 1,
            SimOp::Rename => self.counts.renames += 1,
            SimOp::Sync => {
                self.counts.syncs += 1;
                let name = call.path.file_name().unwrap_or_default();
                *self.syncs_by_name.entry(name.to_os_string()).or_default() += 1;
            }
            _ => {}
        }
        let path = call.path.as_os_str().as_encoded_bytes();
        for part in [call.op as u64, hash_of(path), call.offset, call.len, hash_of(call.bytes)] {
            self.hash = mix(self.hash, part);
        }
        if let Some(lines) = &mut self.lines {
            let Call { syscall, path, offset, len, .. } = call;
            lines.push(format!("{syscall} {} offset={offset} len={len}", path.display()));
        }
    }
}

/// Long runs of zeros, which prepared files contain, cost one comparison per page.
fn hash_of(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    for (page, bytes) in bytes.chunks(PAGE_BYTES).enumerate() {
        if bytes == [0; PAGE_BYTES].get(..bytes.len()).unwrap_or_default() {
            continue;
        }
        hash = mix(hash, page as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        }
        hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    }
    hash
}
