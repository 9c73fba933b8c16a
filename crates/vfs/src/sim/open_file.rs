//! An open file of the simulated disk.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::{
    disk::SimDisk,
    fault::{Fault, SimOp, no_space, not_writable},
    incident::Mishap,
    inode::Inode,
    state::{State, Step, power_cut_error},
    trace::Call,
    tree::NodeId,
};
use crate::{FileError, Result, VfsFile};

pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) node: NodeId,
    pub(super) path: PathBuf,
    pub(super) writable: bool,
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

impl SimFile {
    fn call(&self, op: SimOp, syscall: &'static str) -> Call<'_> {
        Call::on(op, syscall, &self.path)
    }

    /// The file of this handle. It lives as long as the handle.
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

/// Fewer than `len`, but at least one.
fn short(state: &mut State, len: usize) -> usize {
    let shorter = usize::try_from(state.random.below((len as u64).saturating_sub(1))).unwrap_or_default();
    len.min(shorter + 1)
}

/// None, all, or some of them.
fn torn(state: &mut State, len: usize) -> usize {
    match state.random.below(3) {
        0 => 0,
        1 => len,
        _ => short(state, len),
    }
}
