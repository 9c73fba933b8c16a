//! LMDB opens its data file so that child processes inherit it, for programs that need that handle. Ours must not: a child that
//! outlives the store would keep the file and its space.

use std::fs::File;

/// Sets close-on-exec on every handle of this process to the same file. Handles that cannot be examined stay unchanged. A child
/// that is started between LMDB's opening and this call still inherits it.
#[cfg(unix)]
#[allow(unsafe_code, reason = "a flag of a handle that LMDB keeps to itself")]
pub(super) fn close_on_exec(same: &File) {
    use std::os::unix::fs::MetadataExt;

    let (Ok(ours), Ok(handles)) = (same.metadata(), std::fs::read_dir("/dev/fd")) else { return };
    let numbers: Vec<i32> = handles.flatten().filter_map(|handle| handle.file_name().to_str()?.parse().ok()).collect();
    for number in numbers {
        // SAFETY: reads the flags of a number; a number that is no longer a handle gives an error.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        if flags < 0 || flags & libc::FD_CLOEXEC != 0 {
            continue;
        }
        let Ok(other) = std::fs::metadata(format!("/dev/fd/{number}")) else { continue };
        if (other.dev(), other.ino()) == (ours.dev(), ours.ino()) {
            // SAFETY: as above; the file behind the number is LMDB's.
            unsafe { libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC) };
        }
    }
}

/// On Windows handles are not inherited by default.
#[cfg(not(unix))]
pub(super) fn close_on_exec(_same: &File) {}
