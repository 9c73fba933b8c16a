//! A name in a folder where there are only paths (Windows): after opening, links and everything else but regular files are recognised.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

use super::handles::with_reserve;
use crate::{FileError, OpenHow, Result};

/// The place of a name.
#[derive(Debug)]
pub(super) struct Place<'a> {
    path: &'a Path,
}

fn failed<'a>(syscall: &'static str, path: &'a Path) -> impl Fn(io::Error) -> FileError + 'a {
    move |source| FileError::new(syscall, path, source)
}

#[allow(clippy::disallowed_methods, reason = "the one place that touches the operating system's files")]
impl<'a> Place<'a> {
    pub(super) const fn anywhere(path: &'a Path) -> Self {
        Self { path }
    }

    pub(super) fn open(&self, how: OpenHow) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            OpenHow::Read => &mut options,
            OpenHow::ReadWrite => options.write(true),
            OpenHow::CreateNew => options.write(true).create_new(true),
        };
        self.open_file(&mut options)
    }

    pub(super) fn open_lock(&self) -> Result<File> {
        self.open_file(OpenOptions::new().read(true).write(true).create(true).truncate(false))
    }

    fn open_file(&self, options: &mut OpenOptions) -> Result<File> {
        #[cfg(windows)]
        {
            use std::os::windows::fs::OpenOptionsExt;
            /// Opens a link itself, not its target.
            const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
            options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
        }
        let file = with_reserve(|| options.open(self.path)).map_err(failed("open", self.path))?;
        let metadata = file.metadata().map_err(failed("fstat", self.path))?;
        if metadata.is_file() {
            Ok(file)
        } else {
            Err(FileError::foreign(self.path, "a link or a device", "a regular file"))
        }
    }

    pub(super) fn read_dir(&self) -> Result<Vec<OsString>> {
        let entries = fs::read_dir(self.path).map_err(failed("opendir", self.path))?;
        entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(failed("readdir", self.path))).collect()
    }

    pub(super) fn make_dir(&self) -> Result<bool> {
        match fs::create_dir(self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.path.is_dir() => Ok(false),
            done => done.map(|()| true).map_err(failed("mkdir", self.path)),
        }
    }

    pub(super) fn rename(&self, to: &Self) -> Result<()> {
        fs::rename(self.path, to.path).map_err(failed("rename", self.path))
    }

    pub(super) fn remove_file(&self) -> Result<()> {
        fs::remove_file(self.path).map_err(failed("unlink", self.path))
    }

    pub(super) fn remove_dir(&self) -> Result<()> {
        fs::remove_dir(self.path).map_err(failed("rmdir", self.path))
    }

    /// Windows has no flush for folders: NTFS journals their changes itself.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "the same shape on every platform")]
    pub(super) fn sync_dir(&self) -> Result<()> {
        Ok(())
    }

    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "the same shape on every platform")]
    pub(super) fn sync_file_system(&self) -> Result<()> {
        Ok(())
    }

    pub(super) fn exists(&self) -> Result<bool> {
        match self.path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            found => found.map(|_| true).map_err(failed("stat", self.path)),
        }
    }
}
