//! Whether the process may map this much more memory. A limit of its address space (`ulimit -v`, a small container) then
//! becomes an error, before LMDB gives up its present map.

/// Requests this many bytes of address space from the system, and releases them.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[allow(unsafe_code, reason = "address space is asked for")]
pub(super) fn can_be_mapped(bytes: u64) -> bool {
    let Ok(bytes) = usize::try_from(bytes) else { return false };
    // SAFETY: a separate mapping, at an address the system chooses, of no file, without access; nothing refers to it.
    unsafe {
        let start = libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANON | NO_RESERVE,
            -1,
            0,
        );
        start != libc::MAP_FAILED && libc::munmap(start, bytes) == 0
    }
}

#[cfg(target_os = "linux")]
const NO_RESERVE: libc::c_int = libc::MAP_NORESERVE;
#[cfg(target_os = "macos")]
const NO_RESERVE: libc::c_int = 0;

/// Unknown here: a failure is repaired afterwards.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn can_be_mapped(_bytes: u64) -> bool {
    true
}

#[cfg(all(test, any(target_os = "linux", target_os = "macos")))]
mod tests {
    #[test]
    fn what_no_address_space_has_room_for_cannot_be_mapped() {
        assert!(super::can_be_mapped(1 << 20));
        assert!(!super::can_be_mapped(1 << 60));
    }
}
