//! The type of file system that a folder is on, as far as it matters to a store: whether this machine alone uses its files. On
//! a shared one, other machines do not see the lock and the memory map, and a flush need not reach a device.

use std::path::{Path, PathBuf};

/// Whether a file system is local.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// On this machine, or not known to be elsewhere.
    Local,
    /// On another machine, or provided by an unknown program.
    Network {
        /// The operating system's name for it: `nfs4`, `fuse.sshfs`, `smbfs`, ...
        kind: String,
    },
}

/// File systems that keep their files on another machine, or on the host of a virtual one, by their names on Linux and macOS.
const NETWORK: [&str; 34] = [
    "9p",
    "AppleVirtIOFS",
    "acfs",
    "afpfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "ftp",
    "glusterfs",
    "gpfs",
    "kafs",
    "lustre",
    "macfuse",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "orangefs",
    "osxfuse",
    "panfs",
    "prl_fs",
    "pvfs2",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
    "webdav",
    "wekafs",
    "xtreemfs",
];

/// Programs behind FUSE that keep their files in another folder or device of this machine. Any other is assumed to be remote:
/// most of them (sshfs, s3fs, rclone, ...) use a server.
const LOCAL_PROGRAMS: [&str; 16] = [
    "bindfs",
    "cryfs",
    "encfs",
    "exfat",
    "ext2",
    "fuse-overlayfs",
    "gocryptfs",
    "lxcfs",
    "mergerfs",
    "mhddfs",
    "ntfs",
    "ntfs-3g",
    "securefs",
    "squashfuse",
    "unionfs",
    "zfs",
];

impl FileSystem {
    /// The file system with this name.
    pub fn of_kind(kind: &str) -> Self {
        // A block device behind FUSE (`fuseblk`) is local.
        let behind_fuse = match kind.strip_prefix("fuse") {
            Some("") => true,
            Some(rest) => rest.strip_prefix('.').is_some_and(|program| !LOCAL_PROGRAMS.contains(&program)),
            None => false,
        };
        if behind_fuse || NETWORK.contains(&kind) { Self::Network { kind: kind.to_owned() } } else { Self::Local }
    }
}

/// The nearest folder at or above `path` for which `exists` returns true.
pub(crate) fn nearest_existing(path: &Path, exists: impl Fn(&Path) -> bool) -> PathBuf {
    let named = path.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty());
    named.into_iter().find(|ancestor| exists(ancestor)).unwrap_or(Path::new(".")).to_path_buf()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{FileSystem, LOCAL_PROGRAMS, NETWORK, nearest_existing};

    #[test]
    fn what_others_share_is_network_and_what_is_not_known_behind_fuse_too() {
        let network = [
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "9p",
            "ceph",
            "afs",
            "virtiofs",
            "fuse",
            "fuse.sshfs",
            "fuse.s3fs",
            "fuse.whatever",
        ];
        for kind in network {
            assert_eq!(FileSystem::of_kind(kind), FileSystem::Network { kind: kind.to_owned() });
        }
    }

    #[test]
    fn disks_memory_and_layers_are_local() {
        let local = [
            "ext4",
            "xfs",
            "btrfs",
            "zfs",
            "tmpfs",
            "overlay",
            "apfs",
            "hfs",
            "fuseblk",
            "fuse.ntfs-3g",
            "fuse.mergerfs",
            "fusectl",
            "",
        ];
        for kind in local {
            assert_eq!(FileSystem::of_kind(kind), FileSystem::Local, "{kind}");
        }
    }

    #[test]
    fn the_tables_are_sorted_without_doubles() {
        assert!(NETWORK.is_sorted_by(|a, b| a < b) && LOCAL_PROGRAMS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_folder_that_is_to_be_made_is_where_its_nearest_parent_is() {
        let exists = |path: &Path| [Path::new("/"), Path::new("/mnt")].contains(&path);
        for (path, nearest) in [("/mnt/a/b", "/mnt"), ("/mnt", "/mnt"), ("/other/a", "/"), ("a/b", ".")] {
            assert_eq!(nearest_existing(Path::new(path), exists), Path::new(nearest), "{path}");
        }
    }
}
