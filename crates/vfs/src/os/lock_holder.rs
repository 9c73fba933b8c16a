//! Which process has the lock of a file or folder, where the system tells: Linux lists the locks of the processes that this one can see, and so none of
//! those in other containers. A hint for people.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// The process that has `path` locked.
pub(super) fn holder_of(path: &Path) -> Option<u32> {
    let found = fs::metadata(path).ok()?;
    let device = found.dev();
    let place = format!("{:02x}:{:02x}:{}", libc::major(device), libc::minor(device), found.ino());
    holder_in(&fs::read_to_string("/proc/locks").ok()?, &place)
}

/// Of lines such as `3: FLOCK  ADVISORY  WRITE 4711 fd:00:131 0 EOF`; those who wait have an arrow behind the number.
fn holder_in(locks: &str, place: &str) -> Option<u32> {
    locks.lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [_, "FLOCK", _, "WRITE", pid, at, ..] if at == place => pid.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::holder_in;

    #[test]
    fn the_holder_is_who_has_the_lock_of_that_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 fd:00:131 0 EOF\n2: FLOCK  ADVISORY  READ 8 fd:00:131 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 9 fd:00:131 0 EOF\n4: FLOCK  ADVISORY  WRITE 10 fd:00:1310 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE 4711 fd:00:131 0 EOF\n6: FLOCK\n\n";
        assert_eq!(holder_in(locks, "fd:00:131"), Some(4711));
        assert_eq!(holder_in(locks, "fd:00:13"), None);
    }
}
