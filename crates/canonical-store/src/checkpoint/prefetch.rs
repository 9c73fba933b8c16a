//! Asks the processor for a page before its entries are looked at. They lie in a page in the order in which they came, not in
//! that of their keys, so that a scan would wait for memory at each of them. Only a hint: nothing is read.

/// The smallest page of LMDB's, and of the processor's.
const PAGE_BYTES: usize = 4096;
const LINE_BYTES: usize = 64;

/// The page that the scan stands in.
#[derive(Default)]
pub(super) struct Prefetch {
    page: usize,
}

impl Prefetch {
    /// Asks for the page of `bytes`, once.
    pub(super) fn around(&mut self, bytes: &[u8]) {
        let page = bytes.as_ptr().addr() & !(PAGE_BYTES - 1);
        if page != self.page {
            self.page = page;
            for line in 0..PAGE_BYTES / LINE_BYTES {
                fetch(page + line * LINE_BYTES);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "the instruction takes any address")]
fn fetch(address: usize) {
    use std::{
        arch::x86_64::{_MM_HINT_T0, _mm_prefetch},
        ptr,
    };
    // SAFETY: a hint about an address; it is not read, and one that is not mapped is passed over.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(ptr::without_provenance(address)) }
}

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "the instruction takes any address")]
fn fetch(address: usize) {
    // SAFETY: a hint about an address; it is not read, and one that is not mapped is passed over.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{address}]", address = in(reg) address, options(nostack, preserves_flags, readonly))
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn fetch(_address: usize) {}
