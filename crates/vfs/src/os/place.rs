//! A name in a folder, as the Unix calls take it: relative to an open folder, or to the working directory. Every file and
//! folder of the engine is opened, made, renamed and removed here.
//!
//! The last name is never followed if it is a link, only regular files are opened, and opening never waits (as for a queue
//! without another end). New files belong to the owner alone, and are closed in child processes.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path},
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags},
    io::Errno,
};

use super::handles::with_reserve;
use crate::{FileError, OpenHow, Result};

const FILE_MODE: Mode = Mode::from_bits_retain(0o600);
const FOLDER_MODE: Mode = Mode::from_bits_retain(0o700);
const FOLDER_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

#[derive(Debug)]
enum Base<'a> {
    Anywhere,
    Held(BorrowedFd<'a>),
    Opened(OwnedFd),
}

/// The place of a name.
#[derive(Debug)]
pub(super) struct Place<'a> {
    base: Base<'a>,
    name: &'a Path,
    /// For messages.
    path: &'a Path,
}

/// An error for a failed call on a path.
fn failed<'a>(syscall: &'static str, path: &'a Path) -> impl Fn(Errno) -> FileError + 'a {
    move |errno| FileError::new(syscall, path, errno.into())
}

impl<'a> Place<'a> {
    /// Any path; its last name is not followed if it is a link.
    pub(super) const fn anywhere(path: &'a Path) -> Self {
        Self { base: Base::Anywhere, name: path, path }
    }

    /// `names` below an open folder; none of them is followed if it is a link.
    pub(super) fn below(folder: &'a File, names: &'a Path, path: &'a Path) -> Result<Self> {
        let mut components = names.components();
        let Some(last) = components.next_back() else {
            return Ok(Self { base: Base::Held(folder.as_fd()), name: Path::new("."), path });
        };
        let mut base = Base::Held(folder.as_fd());
        for component in components {
            let within = Self { base, name: plain(component, path)?, path };
            base = Base::Opened(within.open_folder()?);
        }
        Ok(Self { base, name: plain(last, path)?, path })
    }

    fn at(&self) -> BorrowedFd<'_> {
        match &self.base {
            Base::Anywhere => CWD,
            Base::Held(folder) => *folder,
            Base::Opened(folder) => folder.as_fd(),
        }
    }

    fn openat(&self, flags: OFlags) -> std::result::Result<OwnedFd, Errno> {
        let opened = with_reserve(|| Ok(rustix::fs::openat(self.at(), self.name, flags, FILE_MODE)?));
        opened.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }

    /// The type of what has the name, if known.
    fn kind(&self) -> Option<FileType> {
        let stat = rustix::fs::statat(self.at(), self.name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(FileType::from_raw_mode(stat.st_mode))
    }

    /// Opens a file.
    pub(super) fn open(&self, how: OpenHow) -> Result<File> {
        self.open_file(match how {
            OpenHow::Read => OFlags::RDONLY,
            OpenHow::ReadWrite => OFlags::RDWR,
            OpenHow::CreateNew => OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL),
        })
    }

    /// Opens a file to lock it; makes it if it is missing.
    pub(super) fn open_lock(&self) -> Result<File> {
        self.open_file(OFlags::RDWR.union(OFlags::CREATE))
    }

    fn open_file(&self, how: OFlags) -> Result<File> {
        let unfollowed = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
        match self.openat(how.union(unfollowed)) {
            Ok(file) => {
                let stat = rustix::fs::fstat(&file).map_err(failed("fstat", self.path))?;
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::RegularFile => Ok(File::from(file)),
                    other => Err(self.foreign(other)),
                }
            }
            Err(errno) => match self.kind().filter(|kind| !kind.is_file()) {
                Some(other) if errno != Errno::EXIST => Err(self.foreign(other)),
                _ => Err(failed("open", self.path)(errno)),
            },
        }
    }

    fn foreign(&self, found: FileType) -> FileError {
        FileError::foreign(self.path, name_of(found), "a regular file")
    }

    /// Opens a folder. Follows a link only outside an open folder.
    fn open_folder(&self) -> Result<OwnedFd> {
        let is_anywhere = matches!(self.base, Base::Anywhere);
        let flags = if is_anywhere { FOLDER_FLAGS } else { FOLDER_FLAGS.union(OFlags::NOFOLLOW) };
        self.openat(flags).map_err(|errno| match self.kind().filter(|kind| !is_anywhere && !kind.is_dir()) {
            Some(other) => FileError::foreign(self.path, name_of(other), "a folder"),
            None => failed("open", self.path)(errno),
        })
    }

    /// The folder itself, as an open file.
    pub(super) fn folder(&self) -> Result<File> {
        self.open_folder().map(File::from)
    }

    pub(super) fn read_dir(&self) -> Result<Vec<OsString>> {
        let folder = self.open_folder()?;
        let listing = failed("readdir", self.path);
        let mut names = Vec::new();
        for entry in Dir::new(folder).map_err(&listing)? {
            let entry = entry.map_err(&listing)?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(std::ffi::OsStr::from_bytes(name).to_os_string());
            }
        }
        Ok(names)
    }

    /// Makes a folder; returns whether it was missing.
    pub(super) fn make_dir(&self) -> Result<bool> {
        match rustix::fs::mkdirat(self.at(), self.name, FOLDER_MODE) {
            Ok(()) => Ok(true),
            // Below an open folder a link does not count as the folder it leads to.
            Err(Errno::EXIST) if matches!(self.base, Base::Anywhere) && self.path.is_dir() => Ok(false),
            Err(Errno::EXIST) if !matches!(self.base, Base::Anywhere) => self.open_folder().map(|_| false),
            Err(errno) => Err(failed("mkdir", self.path)(errno)),
        }
    }

    pub(super) fn rename(&self, to: &Self) -> Result<()> {
        rustix::fs::renameat(self.at(), self.name, to.at(), to.name).map_err(failed("rename", self.path))
    }

    pub(super) fn remove_file(&self) -> Result<()> {
        rustix::fs::unlinkat(self.at(), self.name, AtFlags::empty()).map_err(failed("unlink", self.path))
    }

    pub(super) fn remove_dir(&self) -> Result<()> {
        rustix::fs::unlinkat(self.at(), self.name, AtFlags::REMOVEDIR).map_err(failed("rmdir", self.path))
    }

    pub(super) fn sync_dir(&self) -> Result<()> {
        self.folder()?.sync_all().map_err(|error| FileError::new("fsync", self.path, error))
    }

    /// Flushes the file system that the folder is on, with the folder's own name. Where there is no such call (not Linux) the folder itself has to do.
    pub(super) fn sync_file_system(&self) -> Result<()> {
        let folder = self.folder()?;
        #[cfg(target_os = "linux")]
        let synced = rustix::fs::syncfs(&folder).map_err(std::io::Error::from);
        #[cfg(not(target_os = "linux"))]
        let synced = folder.sync_all();
        synced.map_err(|error| FileError::new("fsync", self.path, error))
    }

    pub(super) fn exists(&self) -> Result<bool> {
        match rustix::fs::statat(self.at(), self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(errno) => Err(failed("stat", self.path)(errno)),
        }
    }
}

/// One name that leads neither up nor elsewhere.
fn plain<'a>(component: Component<'a>, path: &Path) -> Result<&'a Path> {
    match component {
        Component::Normal(name) => Ok(Path::new(name)),
        _ => Err(FileError::new("open", path, io::ErrorKind::InvalidInput.into())),
    }
}

const fn name_of(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something unknown",
    }
}
