//! Prefetching: a hint to the processor that a line of memory will be needed soon. Nothing is read.

pub(crate) const LINE_BYTES: usize = 64;

/// Prefetches the line at `address`.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "the instruction takes any address")]
pub(crate) fn fetch(address: usize) {
    use std::{
        arch::x86_64::{_MM_HINT_T0, _mm_prefetch},
        ptr,
    };
    // SAFETY: a hint about an address; it is not read, and an unmapped one is ignored.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(ptr::without_provenance(address)) }
}

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "the instruction takes any address")]
pub(crate) fn fetch(address: usize) {
    // SAFETY: a hint about an address; it is not read, and an unmapped one is ignored.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{address}]", address = in(reg) address, options(nostack, preserves_flags, readonly))
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) fn fetch(_address: usize) {}
