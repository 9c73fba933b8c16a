//! One owner of a folder at a time. The folder itself is locked, since its files are reached through it, and so is its file
//! `LOCK`: for systems whose folders have no lock (Windows), and for programs that look at that file.

use std::{fmt, path::Path};

use crate::{Clock, FileLock, OpenHow, Result, Vfs, os::process_birth, read_small_file};

/// The file that is locked in addition to the folder. Empty.
pub const LOCK_NAME: &str = "LOCK";
/// A hint at the owner: process id, time in milliseconds, version of this package and start of the process, each on a line.
pub const OWNER_NAME: &str = "LOCK.owner";
const OWNER_BYTES: usize = 128;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The lock of a folder, held until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    _folder: Box<dyn FileLock>,
    file: Option<Box<dyn FileLock>>,
}

/// Another owner has the folder. Says which, as far as known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Another process, with this id.
    Elsewhere(Option<u32>),
    /// This process: another owner, or a copy of this package with separate native code, which does not know ours.
    Here,
    /// This process: a copy of this package, of this version, that is not ours.
    ByVersion(String),
}

impl FolderLock {
    /// Locks the folder, without making anything in it where folders can be locked. Inner `Err`: another owner has it.
    pub fn take(vfs: &dyn Vfs, folder: &Path) -> Result<std::result::Result<Self, Taken>> {
        let Some(lock) = vfs.try_lock_folder(folder)? else { return Ok(Err(Taken::in_folder(vfs, folder))) };
        let is_exclusive = lock.is_exclusive();
        let only_folder = Self { _folder: lock, file: None };
        if is_exclusive { Ok(Ok(only_folder)) } else { only_folder.with_file(vfs, folder) }
    }

    fn with_file(mut self, vfs: &dyn Vfs, folder: &Path) -> Result<std::result::Result<Self, Taken>> {
        if self.file.is_none() {
            self.file = vfs.try_lock(&folder.join(LOCK_NAME))?;
        }
        Ok(if self.file.is_some() { Ok(self) } else { Err(Taken::in_folder(vfs, folder)) })
    }

    /// Also takes the file `LOCK`, and writes the owner to `LOCK.owner`. For a folder that was found to be ours.
    pub fn announce(self, vfs: &dyn Vfs, clock: &dyn Clock, folder: &Path) -> Result<std::result::Result<Self, Taken>> {
        let locked = self.with_file(vfs, folder)?;
        if locked.is_ok() {
            // For a process that is refused. Nothing depends on it: without space or rights the old hint stays, or none.
            let _ = leave_hint(vfs, &folder.join(OWNER_NAME), clock.wall_ms());
        }
        Ok(locked)
    }
}

impl Taken {
    /// The process id of the owner.
    pub fn pid(&self) -> Option<u32> {
        if let Self::Elsewhere(pid) = self { *pid } else { Some(std::process::id()) }
    }

    /// The version of this package that was needed, and the one that has it.
    pub fn versions(&self) -> Option<(&str, &str)> {
        if let Self::ByVersion(actual) = self { Some((VERSION, actual)) } else { None }
    }

    fn in_folder(vfs: &dyn Vfs, folder: &Path) -> Self {
        let hint = read_small_file(vfs, &folder.join(OWNER_NAME), OWNER_BYTES).ok().flatten().unwrap_or_default();
        match Self::of_hint(&String::from_utf8_lossy(&hint)) {
            Self::Elsewhere(None) => Self::of_system(vfs, folder),
            said => said,
        }
    }

    /// Without a hint, which a full device or somebody else's tidying takes away, the system may know.
    fn of_system(vfs: &dyn Vfs, folder: &Path) -> Self {
        match vfs.lock_holder(folder).or_else(|| vfs.lock_holder(&folder.join(LOCK_NAME))) {
            Some(pid) if pid == std::process::id() => Self::Here,
            holder => Self::Elsewhere(holder),
        }
    }

    fn of_hint(hint: &str) -> Self {
        let mut lines = hint.lines().map(str::trim);
        let pid = lines.next().and_then(|pid| pid.parse().ok());
        let (version, birth) = (lines.nth(1), lines.next().and_then(|birth| birth.parse().ok()));
        // A process in another container may have the same id.
        let is_here = pid == Some(std::process::id()) && birth == Some(process_birth());
        match version {
            Some(VERSION) if is_here => Self::Here,
            Some(version) if is_here => Self::ByVersion(version.to_owned()),
            _ => Self::Elsewhere(pid),
        }
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elsewhere(Some(pid)) => write!(f, "in another process: pid={pid}"),
            Self::Elsewhere(None) => f.write_str("elsewhere: pid=unknown"),
            Self::Here => write!(
                f,
                "in this process, by another owner or a copy of this package with a separate native binary: pid={}",
                std::process::id()
            ),
            Self::ByVersion(actual) => {
                write!(f, "in this process, by another version of this package: expected={VERSION} actual={actual}")
            }
        }
    }
}

/// Writes the hint to a file that is new or holds a hint.
fn leave_hint(vfs: &dyn Vfs, path: &Path, wall_ms: u64) -> Result<()> {
    let hint = format!("{}\n{wall_ms}\n{VERSION}\n{}\n", std::process::id(), process_birth());
    let file = match vfs.open(path, OpenHow::ReadWrite) {
        Err(error) if error.is_not_found() => vfs.open(path, OpenHow::CreateNew)?,
        opened => opened?,
    };
    let mut found = [0; OWNER_BYTES + 1];
    let read = file.read_full_at(&mut found, 0)?;
    if read > OWNER_BYTES || !is_hint(found.get(..read).unwrap_or_default()) {
        return Ok(());
    }
    if read > hint.len() {
        file.set_len(hint.len() as u64)?;
    }
    file.write_all_at(hint.as_bytes(), 0)
}

/// Whether a file holds a hint of any version. One that was cut short contains zeros.
fn is_hint(found: &[u8]) -> bool {
    let is_number = |line: &[u8]| line.iter().all(|byte| byte.is_ascii_digit() || *byte == 0);
    let is_version = |line: &[u8]| {
        let in_version = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | 0);
        line.first().is_none_or(|byte| byte.is_ascii_digit() || *byte == 0) && line.iter().all(in_version)
    };
    let mut lines = found.split(|byte| *byte == b'\n');
    lines.by_ref().take(2).all(is_number) && lines.by_ref().take(1).all(is_version) && lines.all(is_number)
}

#[cfg(test)]
mod tests {
    use super::{Taken, VERSION, is_hint};
    use crate::os::process_birth;

    fn hint(pid: u32, rest: &str) -> Taken {
        Taken::of_hint(&format!("{pid}\n1700000000000\n{rest}"))
    }

    #[test]
    fn who_has_a_folder_is_this_process_only_if_all_of_the_hint_says_so() {
        let (pid, birth) = (std::process::id(), process_birth());
        assert_eq!(hint(pid, &format!("{VERSION}\n{birth}\n")), Taken::Here);
        assert_eq!(hint(pid, &format!("9.0.0-beta.1\n{birth}\n")), Taken::ByVersion("9.0.0-beta.1".to_owned()));
        for rest in [&*format!("{VERSION}\n{}\n", birth + 1), &*format!("{VERSION}\n"), "", "\n\n"] {
            assert_eq!(hint(pid, rest), Taken::Elsewhere(Some(pid)), "{rest:?}");
        }
        assert_eq!(hint(pid + 1, &format!("9.0.0\n{birth}\n")), Taken::Elsewhere(Some(pid + 1)));
        assert_eq!(Taken::of_hint("call me"), Taken::Elsewhere(None));
    }

    #[test]
    fn a_hint_is_told_from_what_somebody_has_written() {
        let hints: [&[u8]; 6] =
            [b"", b"12\n17000\n", b"12\n17000\n0.1.0\n99\n", b"12\n17\n1.0.0-rc.1+b\n9\n", b"12\n1\0\0\0", b"\0\0"];
        for found in hints {
            assert!(is_hint(found), "{found:?}");
        }
        for found in [&b"call me"[..], b"12\n17000\ncall me\n", b"12\n17000\n0.1.0\nme\n", b"0.1.0\n12\n"] {
            assert!(!is_hint(found), "{found:?}");
        }
    }
}
