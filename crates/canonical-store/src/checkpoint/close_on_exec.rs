//! LMDB opens its data file so that child processes inherit it, for programs that ask for that handle. Ours must not: a child that
//! lives on would keep the file, and its space, of a store that is gone.

use std::fs::File;

/// Has every handle of this process on the same file closed in child processes. What cannot be told is left as it is. A child that
/// is begun between LMDB's opening and this inherits it still.
#[cfg(unix)]
#[allow(unsafe_code, reason = "a flag of a handle that LMDB keeps to itself")]
pub(super) fn close_on_exec(same: &File) {
    use std::os::unix::fs::MetadataExt;

    let (Ok(ours), Ok(handles)) = (same.metadata(), std::fs::read_dir("/dev/fd")) else { return };
    let numbers: Vec<i32> = handles.flatten().filter_map(|handle| handle.file_name().to_str()?.parse().ok()).collect();
    for number in numbers {
        // SAFETY: asks for flags of a number; a number that is no handle by now is an error.
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

/// Windows lets no handle be inherited unless it is asked to.
#[cfg(not(unix))]
pub(super) fn close_on_exec(_same: &File) {}
