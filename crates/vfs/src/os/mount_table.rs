//! Linux's table of mounts, `/proc/self/mountinfo`: the file system of each mount. `/proc/self/fdinfo` gives the number of a
//! file's mount, so nothing is guessed from paths: mounts over mounts, bind mounts and subvolumes are distinguished.

/// The number of an open file's mount, from its `fdinfo`.
pub(super) fn mount_of(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:")).and_then(|number| number.trim().parse().ok())
}

/// The type of file system of the mount with this number. A line is `36 35 98:0 /root /mount/point options optional-fields -
/// kind source super-options`.
pub(super) fn kind_of(mountinfo: &str, mount: u64) -> Option<&str> {
    mountinfo.lines().find_map(|line| {
        let (place, what) = line.split_once(" - ")?;
        let number: u64 = place.split(' ').next()?.parse().ok()?;
        if number == mount { what.split(' ').next() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::{kind_of, mount_of};

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
90 22 0:44 / /mnt/with\\040space rw shared:7 master:2 - fuse.sshfs user@host:/srv rw,user_id=0
91 22 0:45 / /mnt/home rw - nfs4 server:/home rw,vers=4.2
92 91 0:46 / /mnt/home rw - tmpfs tmpfs rw
93 22 0:47 /sub - /odd\\040- rw - btrfs /dev/sdb rw,subvol=/sub
broken line
94 22 0:48 / /cut
";

    #[test]
    fn the_kind_is_the_first_word_behind_the_dash() {
        let kinds = [(22, "ext4"), (90, "fuse.sshfs"), (91, "nfs4"), (92, "tmpfs")];
        for (mount, kind) in kinds {
            assert_eq!(kind_of(MOUNTS, mount), Some(kind));
        }
    }

    #[test]
    fn what_is_not_there_or_cut_short_is_nothing() {
        for mount in [1, 94, 95] {
            assert_eq!(kind_of(MOUNTS, mount), None);
        }
        assert_eq!(kind_of("", 22), None);
        assert_eq!(mount_of("pos:\t0\nflags:\t012000000\n"), None);
        assert_eq!(mount_of("mnt_id:\tmany\n"), None);
    }

    #[test]
    fn a_file_names_its_mount() {
        assert_eq!(mount_of("pos:\t0\nflags:\t012000000\nmnt_id:\t91\nino:\t2\n"), Some(91));
    }
}
