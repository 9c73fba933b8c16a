//! Bug: for a sparse file of terabytes under a name of ours, its length was allocated (the process ended) or read to its end
//! (for hours). Mechanism: lengths were used before they were compared with anything. Fix: each has a maximum, or the file is
//! read only as far as its content is sound. Counted in bytes read and bytes allocated at once.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ledgerstone_canonical_store::{
    OpenOptions, open,
    testing::{close_threaded, open_on},
};
use ledgerstone_vfs::{FileLock, OpenHow, OsVfs, Result, SystemClock, Vfs, VfsFile};

use crate::{folders::tree::commit, support::TempDir};

const HUGE: u64 = 8 << 40;
/// What an opening may read of a file that is far too long: the search for a witness has a separate bound.
const READ_BYTES: u64 = (2 << 30) + (64 << 20);

#[derive(Debug, Default)]
struct Counts {
    read: AtomicU64,
    largest: AtomicU64,
}

/// The real disk; counts what is read from it.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<Counts>);

#[derive(Debug)]
struct CountingFile(Arc<dyn VfsFile>, Arc<Counts>);

impl Vfs for Counting {
    fn open(&self, path: &Path, how: OpenHow) -> Result<Arc<dyn VfsFile>> {
        Ok(Arc::new(CountingFile(OsVfs.open(path, how)?, Arc::clone(&self.0))))
    }
    fn read_dir(&self, path: &Path) -> Result<Vec<OsString>> {
        OsVfs.read_dir(path)
    }
    fn create_dir_all(&self, path: &Path) -> Result<()> {
        OsVfs.create_dir_all(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        OsVfs.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        OsVfs.remove_file(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        OsVfs.sync_dir(path)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        OsVfs.exists(path)
    }
    fn try_lock(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        OsVfs.try_lock(path)
    }
    fn try_lock_folder(&self, path: &Path) -> Result<Option<Box<dyn FileLock>>> {
        OsVfs.try_lock_folder(path)
    }
}

impl VfsFile for CountingFile {
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn len(&self) -> Result<u64> {
        self.0.len()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.1.largest.fetch_max(buffer.len() as u64, Ordering::Relaxed);
        let read = self.0.read_at(buffer, offset)?;
        self.1.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        self.0.write_at(bytes, offset)
    }
    fn set_len(&self, len: u64) -> Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> Result<()> {
        self.0.sync_data()
    }
}

/// Each file of a store, replaced by a hole, or extended by one.
#[test]
fn a_file_of_terabytes_is_opened_or_refused_and_never_read_through() {
    let names = [
        "IDENTITY",
        "CLEAN",
        "LOCK",
        "LOCK.owner",
        "events/horizon",
        "events/horizon.tmp",
        "events/events-00000000000000000001.log",
        "events/events-00000000000000000099.log",
        "events/events-00000000000000000001.log.tmp",
        "journal/journal-00000000000000000001.wal",
        "journal/journal-00000000000000000099.wal",
        "journal/journal-spare.tmp",
        "state/data.mdb",
        "state/lock.mdb",
    ];
    for name in names {
        for keeps_content in [true, false] {
            assert_bounded(name, keeps_content, Ended::Closed, HUGE);
        }
    }
    // Without the mark of a clean close the rest of a file is searched: of the journal's newest, and of a segment that is not
    // longer than possible.
    assert_bounded("journal/journal-00000000000000000001.wal", true, Ended::Killed, HUGE);
    assert_bounded("events/events-00000000000000000001.log", true, Ended::Killed, 1 << 40);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Closed,
    /// There is no mark of a clean close.
    Killed,
}

fn assert_bounded(name: &str, keeps_content: bool, ended: Ended, bytes: u64) {
    let dir = TempDir::new("sparse");
    let store = open(dir.path(), &OpenOptions::default()).unwrap();
    commit(&store, "a").unwrap();
    store.close().unwrap();
    if ended == Ended::Killed {
        fs::remove_file(dir.path().join("CLEAN")).unwrap();
    }
    let path = dir.path().join(name);
    if !keeps_content {
        let _ = fs::remove_file(&path);
    }
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path).unwrap();
    if file.set_len(bytes).is_err() {
        println!("skipped: the file system of {} has no files of {bytes} bytes", dir.path().display());
        return;
    }
    let vfs = Counting::default();
    let clock = Arc::new(SystemClock::new());
    let how = match open_on(Arc::new(vfs.clone()), clock, dir.path(), &OpenOptions::default()) {
        Ok(store) => {
            let closed = close_threaded(&store);
            closed.map_or_else(|error| error.code(), |()| "opened")
        }
        Err(error) => error.code(),
    };
    let (read, largest) = (vfs.0.read.load(Ordering::Relaxed), vfs.0.largest.load(Ordering::Relaxed));
    let what = format!("{name}, {keeps_content}, {ended:?}");
    assert!(["opened", "ERR_CORRUPT", "ERR_FORMAT"].contains(&how), "{what}: {how}");
    assert!(read <= READ_BYTES, "{what}: {read} bytes were read");
    assert!(largest <= 16 << 20, "{what}: {largest} bytes were asked for at once");
}
