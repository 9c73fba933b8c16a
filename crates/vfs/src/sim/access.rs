//! The simulated disk as the engine sees it: the same traits and errors as the real one.

use std::{ffi::OsString, fmt, io, path::Path, sync::Arc};

use super::{
    disk::SimDisk,
    fault::{Fault, SimOp},
    inode::Inode,
    open_file::SimFile,
    state::{State, Step, power_cut_error},
    trace::Call,
    tree::{Folder, Node, NodeId},
};
use crate::{
    FileError, FileLock, FileSystem, OpenHow, Result, Vfs, VfsFile,
    folders::{Folders, make_folders, parent_of},
};

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
    // Anything but a regular file gives the same error as on a real disk.
    opened.map_err(|error| match error.source.kind() {
        io::ErrorKind::IsADirectory => FileError::foreign(path, state.tree.kind_of(path), "a regular file"),
        _ => error,
    })
}

/// A file that is created.
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

impl Folders for State {
    fn is_folder(&self, path: &Path) -> Result<bool> {
        Ok(self.tree.resolve(path).is_some_and(|node| self.tree.folder(node).is_some()))
    }

    fn make(&mut self, path: &Path) -> Result<()> {
        self.whole(&Call::on(SimOp::Create, "mkdir", path), |state| {
            let (folder, name) = state.tree.locate(path)?;
            if state.tree.resolve(path).is_some() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.tree.create(folder, name, Node::Folder(Folder::default()));
            Ok(())
        })
    }

    fn sync_name(&mut self, path: &Path) -> Result<()> {
        parent_of(path).map_or(Ok(()), |parent| sync_dir(self, parent))
    }
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
            // In random order, as on a real disk: no caller may rely on an order.
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
        make_folders(&mut *state, path)
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
