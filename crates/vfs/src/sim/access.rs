//! The simulated disk as the engine sees it: the same traits and the same errors as the real one.

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    disk::SimDisk,
    fault::{Fault, SimOp, no_space, not_writable},
    incident::Mishap,
    inode::Inode,
    state::{State, Step, power_cut_error},
    trace::Call,
    tree::{Folder, Node, NodeId},
};
use crate::{FileError, FileLock, FileSystem, OpenHow, Result, Vfs, VfsFile};

struct SimFile {
    disk: SimDisk,
    node: NodeId,
    path: PathBuf,
    writable: bool,
}

struct SimLock(SimFile);

impl FileLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.disk.state.lock().locked.remove(&self.0.node);
    }
}

impl fmt::Debug for SimLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimLock").field(&self.0.path).finish()
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let tree = &mut self.disk.state.lock().tree;
        if let Some(inode) = tree.file_mut(self.node) {
            inode.handles = inode.handles.saturating_sub(1);
            if !inode.linked {
                tree.forget_unused(self.node);
            }
        }
    }
}

impl SimDisk {
    fn handle(&self, state: &mut State, node: NodeId, path: &Path, writable: bool) -> SimFile {
        if let Some(inode) = state.tree.file_mut(node) {
            inode.handles += 1;
        }
        SimFile { disk: self.clone(), node, path: path.to_path_buf(), writable }
    }
}

/// A file that must exist.
fn open_existing(state: &mut State, path: &Path) -> Result<NodeId> {
    let opened = state.whole(&Call::on(SimOp::Open, "open", path), |state| {
        let node = state.tree.resolve(path).ok_or(io::ErrorKind::NotFound)?;
        state.tree.file(node).ok_or(io::ErrorKind::IsADirectory)?;
        Ok(node)
    });
    // What is no file is told as on a real disk.
    opened.map_err(|error| match error.source.kind() {
        io::ErrorKind::IsADirectory => FileError::foreign(path, state.tree.kind_of(path), "a regular file"),
        _ => error,
    })
}

/// A file that is made.
fn open_created(state: &mut State, path: &Path) -> Result<NodeId> {
    state.whole(&Call::on(SimOp::Create, "open", path), |state| {
        if state.tree.resolve(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (folder, name) = state.tree.locate(path)?;
        Ok(state.tree.create(folder, name, Node::File(Inode::default())))
    })
}

fn sync_dir(state: &mut State, path: &Path) -> Result<()> {
    let call = Call::on(SimOp::SyncDir, "fsync", path);
    let step = state.begin(&call)?;
    let folder = state.tree.resolve(path).filter(|node| state.tree.folder(*node).is_some());
    let folder = folder.ok_or_else(|| call.failed(io::ErrorKind::NotFound.into()))?;
    match step {
        Step::Proceeds => state.tree.sync_folder(folder),
        Step::Fails(Fault::NoHandles) => return Err(FileError::new("open", path, Fault::NoHandles.error())),
        Step::Fails(fault) => {
            state.tree.fail_sync_folder(folder);
            return Err(call.failed(fault.error()));
        }
        Step::Dies => {
            if state.random.one_in(2) {
                state.tree.sync_folder(folder);
            }
            return Err(call.failed(power_cut_error()));
        }
    }
    Ok(())
}

impl Vfs for SimDisk {
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>> {
        let mut state = self.state.lock();
        let node = match how {
            OpenHow::Read | OpenHow::ReadWrite => open_existing(&mut state, path)?,
            OpenHow::CreateNew => open_created(&mut state, path)?,
        };
        Ok(Arc::new(self.handle(&mut state, node, path, how != OpenHow::Read)))
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>> {
        self.state.lock().whole(&Call::on(SimOp::List, "opendir", path), |state| {
            let node = state.tree.resolve(path).ok_or(io::ErrorKind::NotFound)?;
            let folder = state.tree.folder(node).ok_or(io::ErrorKind::NotADirectory)?;
            let mut names: Vec<OsString> = folder.now.keys().cloned().collect();
            // In no particular order, as on a real disk: nobody may lean on it.
            for last in (1..names.len()).rev() {
                let other = usize::try_from(state.random.below(last as u64 + 1)).unwrap_or_default();
                names.swap(last, other);
            }
            Ok(names)
        })
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        let mut state = self.state.lock();
        state.check_power(&Call::on(SimOp::Create, "mkdir", path))?;
        let levels: Vec<&Path> = path.ancestors().collect();
        for level in levels.into_iter().rev() {
            if state.tree.resolve(level).is_some_and(|node| state.tree.folder(node).is_some()) {
                continue;
            }
            state.whole(&Call::on(SimOp::Create, "mkdir", level), |state| {
                let (folder, name) = state.tree.locate(level)?;
                if state.tree.resolve(level).is_some() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                state.tree.create(folder, name, Node::Folder(Folder::default()));
                Ok(())
            })?;
            sync_dir(&mut state, level.parent().unwrap_or(Path::new("/")))?;
        }
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.state.lock().whole(&Call::on(SimOp::Create, "mkdir", path), |state| {
            let there = state.tree.resolve(path);
            if there.is_some_and(|node| state.tree.folder(node).is_some()) {
                return Ok(());
            }
            let (folder, name) = state.tree.locate(path)?;
            if there.is_some() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.tree.create(folder, name, Node::Folder(Folder::default()));
            Ok(())
        })
    }

    fn free_bytes(&self, _folder: &Path) -> Option<u64> {
        let state = self.state.lock();
        state.capacity.map(|_| state.room())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.state.lock().whole(&Call::on(SimOp::Rename, "rename", from), |state| state.tree.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.state.lock().whole(&Call::on(SimOp::Remove, "unlink", path), |state| {
            let node = state.tree.resolve(path).ok_or(io::ErrorKind::NotFound)?;
            state.tree.folder(node).map_or(Ok(()), |_| Err(io::ErrorKind::IsADirectory))?;
            let (folder, name) = state.tree.locate(path)?;
            state.tree.remove(folder, name);
            Ok(())
        })
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.state.lock().whole(&Call::on(SimOp::Remove, "rmdir", path), |state| {
            let node = state.tree.resolve(path).ok_or(io::ErrorKind::NotFound)?;
            let found = state.tree.folder(node).ok_or(io::ErrorKind::NotADirectory)?;
            if !found.now.is_empty() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            let (folder, name) = state.tree.locate(path)?;
            state.tree.remove(folder, name);
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        sync_dir(&mut self.state.lock(), path)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        let state = self.state.lock();
        state.check_power(&Call::on(SimOp::Open, "stat", path))?;
        Ok(state.tree.resolve(path).is_some())
    }

    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        let mut state = self.state.lock();
        let node = match state.tree.resolve(path) {
            Some(_) => open_existing(&mut state, path)?,
            None => open_created(&mut state, path)?,
        };
        if !state.locked.insert(node) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock(self.handle(&mut state, node, path, true)))))
    }

    fn random(&self) -> u64 {
        self.state.lock().next_random()
    }

    fn try_lock_folder(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        let mut state = self.state.lock();
        let call = Call::on(SimOp::Open, "open", path);
        state.check_power(&call)?;
        let node = state.tree.resolve(path).filter(|node| state.tree.folder(*node).is_some());
        let node = node.ok_or_else(|| call.failed(io::ErrorKind::NotFound.into()))?;
        if !state.locked.insert(node) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock(self.handle(&mut state, node, path, true)))))
    }

    fn file_system(&self, _path: &Path) -> FileSystem {
        self.state.lock().file_system.clone()
    }
}

impl SimFile {
    fn call(&self, op: SimOp, syscall: &'static str) -> Call<'_> {
        Call::on(op, syscall, &self.path)
    }

    /// The file behind this handle. It lives as long as the handle does.
    fn with<T>(&self, state: &mut State, act: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        state.tree.file_mut(self.node).map(act).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn check_writable(&self, call: &Call) -> Result<()> {
        if self.writable { Ok(()) } else { Err(call.failed(not_writable())) }
    }

    /// How many of `len` bytes at `offset` the disk has room for.
    fn fitting(&self, state: &mut State, len: usize, offset: u64) -> io::Result<usize> {
        let held = self.with(state, |inode| inode.now.len())?;
        let end = held.saturating_add(state.room());
        let fitting = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(len);
        if fitting < len {
            state.trace.befell(SimOp::Write, Mishap::NoRoom);
        }
        if fitting == 0 && len > 0 { Err(no_space()) } else { Ok(fitting) }
    }
}

impl VfsFile for SimFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        let call = self.call(SimOp::Open, "fstat");
        let mut state = self.disk.state.lock();
        state.check_power(&call)?;
        self.with(&mut state, |inode| inode.now.len()).map_err(|error| call.failed(error))
    }

    fn check_in_place(&self) -> Result<()> {
        let mut state = self.disk.state.lock();
        state.check_power(&self.call(SimOp::Open, "stat"))?;
        state.trace.counts.place_checks += 1;
        if state.tree.resolve(&self.path) == Some(self.node) { Ok(()) } else { Err(FileError::gone(&self.path)) }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let call = Call { offset, len: buffer.len() as u64, ..self.call(SimOp::Read, "pread") };
        let mut state = self.disk.state.lock();
        let wanted = match state.begin(&call)? {
            Step::Fails(Fault::ShortWrite) => short(&mut state, buffer.len()),
            Step::Fails(fault) => return Err(call.failed(fault.error())),
            Step::Proceeds | Step::Dies => buffer.len(),
        };
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        let given =
            self.with(&mut state, |inode| inode.now.read(buffer, offset)).map_err(|error| call.failed(error))?;
        state.trace.counts.bytes_read += given as u64;
        Ok(given)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        let call = Call { offset, len: bytes.len() as u64, bytes, ..self.call(SimOp::Write, "pwrite") };
        self.check_writable(&call)?;
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(call.failed(io::ErrorKind::FileTooLarge.into()));
        }
        let mut state = self.disk.state.lock();
        let step = state.begin(&call)?;
        let failed = |error| call.failed(error);
        let fitting = self.fitting(&mut state, bytes.len(), offset).map_err(failed)?;
        let (taken, error) = match step {
            Step::Proceeds => (fitting, None),
            Step::Fails(Fault::ShortWrite) => (short(&mut state, fitting), None),
            Step::Fails(Fault::NoSpace) => (0, Some(Fault::NoSpace.error())),
            Step::Fails(fault) => (torn(&mut state, fitting), Some(fault.error())),
            Step::Dies => (torn(&mut state, fitting), Some(power_cut_error())),
        };
        let taken_bytes = bytes.get(..taken).unwrap_or_default();
        self.with(&mut state, |inode| inode.write(taken_bytes, offset)).map_err(failed)?;
        if let Some(error) = error {
            return Err(failed(error));
        }
        state.trace.counts.bytes_written += taken as u64;
        Ok(taken)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let call = Call { len, ..self.call(SimOp::SetLen, "ftruncate") };
        self.check_writable(&call)?;
        self.disk.state.lock().whole(&call, |state| {
            let held = self.with(state, |inode| inode.now.len())?;
            if len.saturating_sub(held) > state.room() {
                state.trace.befell(SimOp::SetLen, Mishap::NoRoom);
                return Err(no_space());
            }
            self.with(state, |inode| inode.set_len(len))
        })
    }

    fn sync_data(&self) -> Result<()> {
        let call = self.call(SimOp::Sync, "fdatasync");
        let mut state = self.disk.state.lock();
        let step = state.begin(&call)?;
        let failed = |error| call.failed(error);
        let begun = self.with(&mut state, |inode| inode.changes_made()).map_err(failed)?;
        match step {
            Step::Proceeds => {
                self.disk.wait_in_sync(&mut state, &self.path);
                state.check_power(&call)?;
                self.with(&mut state, |inode| inode.sync(begun)).map_err(failed)
            }
            Step::Fails(fault) => {
                self.with(&mut state, Inode::fail_sync).map_err(failed)?;
                Err(failed(fault.error()))
            }
            Step::Dies => {
                if state.random.one_in(2) {
                    self.with(&mut state, |inode| inode.sync(begun)).map_err(failed)?;
                }
                Err(failed(power_cut_error()))
            }
        }
    }
}

/// Fewer than `len`, yet not none.
fn short(state: &mut State, len: usize) -> usize {
    let shorter = usize::try_from(state.random.below((len as u64).saturating_sub(1))).unwrap_or_default();
    len.min(shorter + 1)
}

/// None, all, or something between.
fn torn(state: &mut State, len: usize) -> usize {
    match state.random.below(3) {
        0 => 0,
        1 => len,
        _ => short(state, len),
    }
}
