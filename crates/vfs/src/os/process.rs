//! Distinguishes this process from others with the same id: one in another container, or a later one.

/// When this process began, in ticks since the start of the machine; 0 if unknown.
#[cfg(target_os = "linux")]
pub(crate) fn process_birth() -> u64 {
    std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| birth_in(&stat)).unwrap_or(0)
}

/// On other systems ids are enough.
#[cfg(not(target_os = "linux"))]
pub(crate) fn process_birth() -> u64 {
    0
}

/// The 22nd field. The second is a name in parentheses that may contain anything.
#[cfg(target_os = "linux")]
fn birth_in(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    behind_name.split(' ').nth(19)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{birth_in, process_birth};

    #[test]
    fn a_process_has_one_birth() {
        assert!(process_birth() > 0);
        assert_eq!(std::thread::scope(|scope| scope.spawn(process_birth).join().unwrap()), process_birth());
    }

    #[test]
    fn a_name_may_have_anything_in_it() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 11 0 4242 99 98";
        assert_eq!(birth_in(stat), Some(4242));
        assert_eq!(birth_in("77 (a) S 1"), None);
        assert_eq!(birth_in(""), None);
    }
}
