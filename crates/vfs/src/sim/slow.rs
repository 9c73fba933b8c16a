//! A slow disk: it wraps another one and sleeps before each flush and write. It counts its flushes, so that a test can see what
//! happens while one is under way, and changes nothing else.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{FileLock, FileSystem, OpenHow, Result, Vfs, VfsFile};

const MIB: u128 = 1 << 20;

/// A slow disk; clones are the same one.
#[derive(Clone, Debug)]
pub struct SlowVfs {
    inner: Arc<dyn Vfs>,
    pace: Arc<Pace>,
}

/// Flushes of files and of folders: how many have begun, how many have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowFlushes {
    /// How many have begun.
    pub begun: u64,
    /// How many have ended, failed ones too.
    pub ended: u64,
}

#[derive(Debug)]
struct Pace {
    per_flush: Duration,
    per_mib_written: Duration,
    begun: AtomicU64,
    ended: AtomicU64,
}

#[derive(Debug)]
struct SlowFile {
    inner: Arc<dyn VfsFile>,
    pace: Arc<Pace>,
}

impl SlowVfs {
    /// Makes each flush of `inner` take `per_flush` longer, and each write its share of `per_mib_written`.
    pub fn new(inner: Arc<dyn Vfs>, per_flush: Duration, per_mib_written: Duration) -> Self {
        let pace = Pace { per_flush, per_mib_written, begun: AtomicU64::new(0), ended: AtomicU64::new(0) };
        Self { inner, pace: Arc::new(pace) }
    }

    /// The flushes so far. If two calls return the same `begun`, above `ended`, a flush was under way all the time between them.
    pub fn flushes(&self) -> SlowFlushes {
        let ended = self.pace.ended.load(Ordering::SeqCst);
        SlowFlushes { begun: self.pace.begun.load(Ordering::SeqCst), ended }
    }
}

impl Pace {
    fn flush(&self, flush: impl FnOnce() -> Result<()>) -> Result<()> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        thread::sleep(self.per_flush);
        let outcome = flush();
        self.ended.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    fn write(&self, bytes: usize) {
        let nanos = self.per_mib_written.as_nanos().saturating_mul(bytes as u128) / MIB;
        thread::sleep(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
    }
}

impl Vfs for SlowVfs {
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>> {
        Ok(Arc::new(SlowFile { inner: self.inner.open(path, how)?, pace: Arc::clone(&self.pace) }))
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>> {
        self.inner.read_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.inner.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.inner.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.inner.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.pace.flush(|| self.inner.sync_dir(path))
    }

    fn sync_name(&self, folder: &Path) -> Result<()> {
        self.pace.flush(|| self.inner.sync_name(folder))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.inner.exists(path)
    }

    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        self.inner.try_lock(path)
    }

    fn try_lock_folder(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        self.inner.try_lock_folder(path)
    }

    fn anchored(&self, folder: &Path) -> Result<Option<Arc<dyn Vfs>>> {
        let anchored = self.inner.anchored(folder)?;
        Ok(anchored.map(|inner| Arc::new(Self { inner, pace: Arc::clone(&self.pace) }) as Arc<dyn Vfs>))
    }

    fn check_in_place(&self) -> Result<()> {
        self.inner.check_in_place()
    }

    fn real_path(&self, path: &Path) -> PathBuf {
        self.inner.real_path(path)
    }

    fn file_system(&self, path: &Path) -> FileSystem {
        self.inner.file_system(path)
    }

    fn random(&self) -> u64 {
        self.inner.random()
    }
}

impl VfsFile for SlowFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn check_in_place(&self) -> Result<()> {
        self.inner.check_in_place()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        self.pace.write(bytes.len());
        self.inner.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> Result<()> {
        self.pace.flush(|| self.inner.sync_data())
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc, time::Duration};

    use super::{SlowFlushes, SlowVfs};
    use crate::{
        OpenHow, Vfs,
        sim::{Fault, SimDisk, SimOp},
    };

    #[test]
    fn flushes_reach_the_disk_beneath_and_are_counted_also_when_they_fail() {
        let disk = SimDisk::new(1);
        let slow = SlowVfs::new(Arc::new(disk.clone()), Duration::from_micros(1), Duration::from_millis(1));
        let file = slow.open(Path::new("/a"), OpenHow::CreateNew).unwrap();
        file.write_all_at(b"durable", 0).unwrap();
        file.sync_data().unwrap();
        slow.sync_dir(Path::new("/")).unwrap();
        let after = disk.power_cut();
        let mut bytes = [0; 7];
        after.open(Path::new("/a"), OpenHow::Read).unwrap().read_full_at(&mut bytes, 0).unwrap();
        assert_eq!((&bytes, disk.syncs_of("a")), (b"durable", 1));
        assert_eq!(slow.flushes(), SlowFlushes { begun: 2, ended: 2 });
        disk.fail_nth(SimOp::Sync, 1, Fault::Io);
        file.sync_data().unwrap_err();
        assert_eq!(slow.flushes(), SlowFlushes { begun: 3, ended: 3 });
    }
}
