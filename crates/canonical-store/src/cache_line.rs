//! What the processor can be told about its memory: that a line of it will be wanted soon. Only a hint: nothing is read.

pub(crate) const LINE_BYTES: usize = 64;

/// Asks for the line at `address`.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "the instruction takes any address")]
pub(crate) fn fetch(address: usize) {
    use std::{
        arch::x86_64::{_MM_HINT_T0, _mm_prefetch},
        ptr,
    };
    // SAFETY: a hint about an address; it is not read, and one that is not mapped is passed over.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(ptr::without_provenance(address)) }
}

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "the instruction takes any address")]
pub(crate) fn fetch(address: usize) {
    // SAFETY: a hint about an address; it is not read, and one that is not mapped is passed over.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{address}]", address = in(reg) address, options(nostack, preserves_flags, readonly))
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) fn fetch(_address: usize) {}
