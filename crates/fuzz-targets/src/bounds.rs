//! What an input may cost, and how it may be refused.

use std::fmt::Display;

use allocation_counter::measure;
use ledgerstone_vfs::sim::SimDisk;

/// Beside what hangs on the input: prepared files on the simulated disk, windows, the contexts of compression.
const MORE_BYTES: u64 = 24 << 20;
/// How often over an input may be in memory: on the disk, in its copies for the page cache, in frames, in what is compared.
const TIMES_IN_MEMORY: u64 = 64;
/// How often over it may be read: a break is judged by a search, and every use opens, verifies and opens again.
const TIMES_READ: u64 = 256;

/// Does it in memory that is bounded by the length of the input, in bytes, and by `allowed_bytes`.
pub(crate) fn in_memory_of<R>(input_bytes: usize, allowed_bytes: u64, work: impl FnOnce() -> R) -> R {
    let mut outcome = None;
    let used = measure(|| outcome = Some(work())).bytes_max;
    let bound = MORE_BYTES + TIMES_IN_MEMORY * input_bytes as u64 + allowed_bytes;
    assert!(used <= bound, "{used} bytes of memory for {input_bytes} bytes of input, {bound} are allowed");
    outcome.unwrap()
}

/// Files were not read again and again.
pub(crate) fn check_effort(disk: &SimDisk, input_bytes: usize) {
    let (read, bound) = (disk.counts().bytes_read, MORE_BYTES + TIMES_READ * input_bytes as u64);
    assert!(read <= bound, "{read} bytes read for {input_bytes} bytes of input, {bound} are allowed");
}

/// The error is one that says that files are not what was written.
pub(crate) fn check_refusal(code: &str, error: impl Display, others: &[&str]) {
    let is_typed = ["ERR_CORRUPT", "ERR_FORMAT"].contains(&code) || others.contains(&code);
    assert!(is_typed, "refused with {code}: {error}");
}
