//! Whether the process may map so much more. A limit of its address space (`ulimit -v`, a small container) is met where it can be told as an error,
//! before LMDB gives up the map that it has.

/// Asks the system for so many bytes of address space, and gives them back.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[allow(unsafe_code, reason = "address space is asked for")]
pub(super) fn can_be_mapped(bytes: u64) -> bool {
    let Ok(bytes) = usize::try_from(bytes) else { return false };
    // SAFETY: a mapping of its own, at no address of ours, of no file, without access; nothing refers to it.
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

/// Not known: what fails is mended behind it.
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
