//! Asks the operating system for the file system of a folder. A folder whose file system is unknown counts as local.

use std::path::Path;

use crate::{FileSystem, file_system::nearest_existing};

/// The file system of `path`, or of the nearest folder above it that exists.
pub(super) fn file_system(path: &Path) -> FileSystem {
    let folder = nearest_existing(path, Path::exists);
    asked(&folder).unwrap_or(FileSystem::Local)
}

/// The bytes that the device of `folder` has free for unprivileged users.
#[cfg(unix)]
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|told| told.f_bavail.saturating_mul(told.f_frsize))
}

/// The same for an open folder.
#[cfg(unix)]
pub(super) fn free_bytes_of(folder: &std::fs::File) -> Option<u64> {
    rustix::fs::fstatvfs(folder).ok().map(|told| told.f_bavail.saturating_mul(told.f_frsize))
}

/// Windows is not asked: files are made as large as wanted, and smaller if that fails.
#[cfg(not(unix))]
pub(super) fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

/// By name where there is `/proc`, which is more precise, otherwise by number.
#[cfg(target_os = "linux")]
fn asked(folder: &Path) -> Option<FileSystem> {
    by_name(folder).or_else(|| by_number(folder))
}

#[cfg(target_os = "linux")]
fn by_number(folder: &Path) -> Option<FileSystem> {
    // The kernel's numbers have 32 bits, whatever the field's type.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as the comment says")]
    let number = rustix::fs::statfs(folder).ok()?.f_type as u32;
    Some(super::magic::name_of(number).map_or(FileSystem::Local, FileSystem::of_kind))
}

#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "files of the kernel, not of a store")]
fn by_name(folder: &Path) -> Option<FileSystem> {
    use std::os::{fd::AsRawFd, unix::fs::OpenOptionsExt};

    use super::mount_table::{kind_of, mount_of};

    // Opens only the name: needs no right to read the folder and asks no server.
    let named = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(folder).ok()?;
    let fdinfo = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", named.as_raw_fd())).ok()?;
    let mountinfo = std::fs::read("/proc/self/mountinfo").ok()?;
    kind_of(&String::from_utf8_lossy(&mountinfo), mount_of(&fdinfo)?).map(FileSystem::of_kind)
}

/// The kernel says itself which are local; the name is for the message.
#[cfg(target_os = "macos")]
fn asked(folder: &Path) -> Option<FileSystem> {
    let told = rustix::fs::statfs(folder).ok()?;
    let name = told.f_fstypename.iter().take_while(|byte| **byte != 0).map(|byte| byte.cast_unsigned()).collect();
    let kind = String::from_utf8(name).ok()?;
    if told.f_flags & libc::MNT_LOCAL.cast_unsigned() == 0 {
        return Some(FileSystem::Network { kind });
    }
    Some(FileSystem::of_kind(&kind))
}

/// A mapped drive's real name is that of the share, so one look at the resolved path covers both.
#[cfg(windows)]
fn asked(folder: &Path) -> Option<FileSystem> {
    use std::path::{Component, Prefix};

    let resolved = folder.canonicalize().ok()?;
    match resolved.components().next()? {
        Component::Prefix(prefix) if matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..)) => {
            Some(FileSystem::Network { kind: "unc".to_owned() })
        }
        _ => Some(FileSystem::Local),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn asked(_folder: &Path) -> Option<FileSystem> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::{by_name, by_number};

    #[test]
    fn name_and_number_say_the_same_of_what_is_here() {
        for folder in ["/", "/tmp", "/dev/shm", "/proc"].map(Path::new) {
            let (name, number) = (by_name(folder), by_number(folder));
            assert!(number.is_some());
            // Behind FUSE the name is more precise.
            let is_fuse = number == Some(crate::FileSystem::of_kind("fuse"));
            assert!(name.is_none() || name == number || is_fuse, "{}", folder.display());
        }
    }
}
