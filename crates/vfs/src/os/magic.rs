//! Linux's numbers for types of file systems (`f_type` of `statfs`, `linux/magic.h`), only of shared ones: for systems without
//! `/proc`, which has the names. A number is less precise: everything behind FUSE has the same.

/// Number and name, by number.
const NUMBERS: [(u32, &str); 19] = [
    (0x564c, "ncpfs"),
    (0x6969, "nfs"),
    (0x517b, "smbfs"),
    (0x00c3_6400, "ceph"),
    (0x0102_1997, "9p"),
    (0x0bd0_0bd0, "lustre"),
    (0x1980_0202, "beegfs"),
    (0x2003_0528, "orangefs"),
    (0x4750_4653, "gpfs"),
    (0x5346_414f, "afs"),
    (0x6163_6673, "acfs"),
    (0x6573_5546, "fuse"),
    (0x6b41_4653, "kafs"),
    (0x7375_7245, "coda"),
    (0x786f_4256, "vboxsf"),
    (0xaad7_aaea, "panfs"),
    (0xbacb_acbc, "vmhgfs"),
    (0xfe53_4d42, "smb2"),
    (0xff53_4d42, "cifs"),
];

/// The name of a shared type by its number; `None` for all others.
pub(super) fn name_of(number: u32) -> Option<&'static str> {
    NUMBERS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::{NUMBERS, name_of};
    use crate::FileSystem;

    #[test]
    fn every_number_is_of_a_network_file_system() {
        for (number, name) in NUMBERS {
            assert_eq!(name_of(number), Some(name));
            assert_eq!(FileSystem::of_kind(name), FileSystem::Network { kind: name.to_owned() });
        }
    }

    #[test]
    fn disks_and_memory_are_none_of_them() {
        // ext4, xfs, btrfs, tmpfs, overlayfs, zfs, f2fs.
        for number in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1, 0xf2f5_2010] {
            assert_eq!(name_of(number), None);
        }
    }
}
