//! LMDB through heed: the only file that opens it. Default sync flags only; read transactions without thread-local storage;
//! a map that grows when no reader looks at it.

use std::{
    cell::OnceCell,
    io,
    iter::Peekable,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, MdbError, PutFlags, RwTxn, WithoutTls, types::Bytes};
use ledgerstone_format::{PlantedFault, planted};
use ledgerstone_vfs::{FileError, Vfs};
use ledgerstone_write_coordinator::Delta as _;
use parking_lot::{Mutex, RwLock};

use super::{
    Batch, Checkpoint, CheckpointRead, CheckpointSize, Loaded, Part,
    batch::{META_KEY, decode_entry, encode_entry},
    flush_file::flush_file,
    lmdb_read::{Counted, LmdbRead},
    lock_file::{MAX_READERS, fill_lock_file},
    precheck::check_data_file,
    space::told_apart,
    unfinished_flush::{self, UNFINISHED_KEY},
    value,
    verify_file::verify_data_file,
};
use crate::{Error, delta::NetOp, error::Result, meta::MetaRecord, verify::Report};

/// A write transaction ends after so many bytes or [`LmdbCheckpoint::PART_OPERATIONS`]: it keeps 4 KiB of heap for each leaf
/// it touches.
const PART_BYTES: usize = 32 << 20;
const PURGE_SLICE: usize = 16 * 1024;

pub(super) type Bytewise = Database<'static, Bytes, Bytes>;

/// The name of the database of entries.
pub(super) const STATE: &str = "state";

#[derive(Clone, Copy, Debug)]
struct Databases {
    /// LMDB's own: the others by name.
    names: Bytewise,
    state: Bytewise,
    meta: Bytewise,
    catalog: Bytewise,
}

#[derive(Debug)]
pub(crate) struct LmdbCheckpoint {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    path: PathBuf,
    /// `None` once closed.
    env: RwLock<Option<Env<WithoutTls>>>,
    databases: Databases,
    /// Read transactions that are open; the map is not moved under them.
    readers: Arc<AtomicUsize>,
    map_bytes: AtomicU64,
    /// The size of LMDB's pages.
    page_bytes: usize,
    part_operations: u32,
    /// One encoding buffer, kept between flushes.
    scratch: Mutex<Vec<u8>>,
}

pub(super) fn failed<'a>(path: &'a Path, call: &'static str) -> impl Fn(heed::Error) -> Error + 'a {
    move |error| match error {
        heed::Error::Io(source) => FileError::new(call, path, source).into(),
        heed::Error::Mdb(MdbError::ReadersFull) => {
            let max = u64::from(MAX_READERS);
            Error::Limit { what: "too many snapshots and iterators are open", limit: "readers", size: max + 1, max }
        }
        heed::Error::Mdb(
            error @ (MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Invalid
            | MdbError::VersionMismatch
            | MdbError::Incompatible
            | MdbError::BadTxn),
        ) => Error::corrupt(path, 0, error.to_string()),
        heed::Error::Mdb(MdbError::MapFull) => {
            let what = "the address space for the state is used up and cannot grow while snapshots are open";
            FileError::new(call, path, io::Error::new(io::ErrorKind::StorageFull, what)).into()
        }
        other => FileError::new(call, path, io::Error::other(other.to_string())).into(),
    }
}

impl LmdbCheckpoint {
    /// Operations in one write transaction, at most.
    pub(crate) const PART_OPERATIONS: u32 = 16 * 1024;

    /// The same with parts of another size.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn with_part_operations(self, part_operations: u32) -> Self {
        Self { part_operations, ..self }
    }

    /// Opens the environment in `dir`, which exists; makes it when it is empty.
    #[allow(unsafe_code, reason = "LMDB maps a file")]
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, dir: &Path, map_bytes: u64) -> Result<Self> {
        let path = dir.join("data.mdb");
        check_data_file(&**vfs, &path)?;
        let is_new = !vfs.exists(&path)?;
        fill_lock_file(&**vfs, dir)?;
        let failed = failed(&path, "mdb_env_open");
        let page = 1 << 16;
        let map_bytes =
            map_bytes.next_multiple_of(page).max(file_bytes(&path).next_multiple_of(page).saturating_mul(2));
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.max_dbs(3).max_readers(MAX_READERS).map_size(usize::try_from(map_bytes).unwrap_or(usize::MAX));
        // SAFETY: the store's lock file keeps other processes out, the registry keeps this process from opening a path
        // twice, and nothing but LMDB writes to the file while it is mapped. The pre-check has seen that it is whole.
        let env = unsafe { options.open(dir) }.map_err(&failed)?;
        env.clear_stale_readers().map_err(&failed)?;
        let databases = open_databases(&env).map_err(&failed)?;
        let page_bytes = env.unnamed_database_stat().page_size as usize;
        drop(failed);
        if is_new {
            // LMDB flushes its file, never the name: the journal must not be recycled for a file that a power cut takes away.
            vfs.sync_dir(dir)?;
        }
        Ok(Self {
            vfs: Arc::clone(vfs),
            dir: dir.to_path_buf(),
            path,
            env: RwLock::new(Some(env)),
            databases,
            readers: Arc::default(),
            map_bytes: AtomicU64::new(map_bytes),
            page_bytes,
            part_operations: Self::PART_OPERATIONS,
            scratch: Mutex::default(),
        })
    }

    fn env(&self) -> Result<Env<WithoutTls>> {
        self.env.read().clone().ok_or(Error::Closed { what: "the store" })
    }

    fn write_operations(&self, env: &Env<WithoutTls>, batch: &Batch<'_>, at: &dyn Fn(Part)) -> Result<()> {
        let failed = failed(&self.path, "mdb_put");
        let net = batch.delta.net();
        let mut ops = net.ops().filter(|op| !batch.dropped.contains(&op.collection)).peekable();
        for part in 0.. {
            let mut transaction = env.write_txn().map_err(&failed)?;
            self.write_part(&mut transaction, &mut ops).map_err(&failed)?;
            if ops.peek().is_none() {
                self.write_account(&mut transaction, batch).map_err(&failed)?;
                transaction.commit().map_err(&failed)?;
                break;
            }
            if part == 0 && !planted(PlantedFault::FlushNotWitnessed) {
                let mut stored = Vec::new();
                value::encode(&mut stored, UNFINISHED_KEY, 0, &unfinished_flush::encode(batch.meta.applied_seq));
                self.databases.meta.put(&mut transaction, UNFINISHED_KEY, &stored).map_err(&failed)?;
            }
            transaction.commit().map_err(&failed)?;
            at(Part::State(part));
        }
        self.scratch.lock().shrink_to(1 << 20);
        at(Part::Last);
        Ok(())
    }

    /// Writes operations until one transaction has enough of them. They come in order, so one cursor finds most places
    /// in the page where it is.
    #[allow(unsafe_code, reason = "a cursor that puts")]
    fn write_part<'a>(
        &self,
        transaction: &mut RwTxn<'_>,
        ops: &mut Peekable<impl Iterator<Item = NetOp<'a>>>,
    ) -> heed::Result<()> {
        let (mut operations, mut bytes) = (0, 0);
        let mut key = Vec::new();
        let mut stored = self.scratch.lock();
        let state = self.databases.state;
        while operations < self.part_operations && bytes < PART_BYTES && ops.peek().is_some() {
            if let Some(deleted) = ops.next_if(|op| op.value.is_none()) {
                deleted.full_key(&mut key);
                state.delete(transaction, &key)?;
                operations += 1;
            }
            let mut cursor = state.iter_mut(transaction)?;
            while operations < self.part_operations
                && bytes < PART_BYTES
                && let Some(op) = ops.next_if(|op| op.value.is_some())
            {
                op.full_key(&mut key);
                value::encode(&mut stored, &key, op.seq, op.value.unwrap_or_default());
                // SAFETY: key and value are our own memory, nothing borrowed from the database.
                unsafe { cursor.put_current_with_options::<Bytes>(PutFlags::empty(), &key, &stored) }?;
                operations += 1;
                bytes += key.len() + stored.len();
            }
        }
        Ok(())
    }

    fn purge_part(&self, collection: u32) -> Result<bool> {
        let env = self.env()?;
        let failed = failed(&self.path, "mdb_del");
        let mut transaction = env.write_txn().map_err(&failed)?;
        let from = collection.to_be_bytes();
        let to = collection.saturating_add(1).to_be_bytes();
        let range = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
        let mut keys = Vec::new();
        for entry in self.databases.state.range(&transaction, &range).map_err(&failed)?.take(PURGE_SLICE) {
            keys.push(entry.map_err(&failed)?.0.to_vec());
        }
        for key in &keys {
            self.databases.state.delete(&mut transaction, key).map_err(&failed)?;
        }
        let more = keys.len() == PURGE_SLICE;
        if !more {
            self.databases.catalog.delete(&mut transaction, &from).map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)?;
        Ok(more)
    }

    fn write_account(&self, last: &mut RwTxn<'_>, batch: &Batch<'_>) -> heed::Result<()> {
        let mut stored = Vec::new();
        for entry in &batch.catalog {
            let key = entry.id.to_be_bytes();
            value::encode(&mut stored, &key, 0, &encode_entry(entry));
            if self.databases.catalog.get(last, &key)? != Some(stored.as_slice()) {
                self.databases.catalog.put(last, &key, &stored)?;
            }
        }
        self.databases.meta.delete(last, UNFINISHED_KEY)?;
        value::encode(&mut stored, META_KEY, 0, &batch.meta.encode());
        self.databases.meta.put(last, META_KEY, &stored)
    }

    fn begin_read(&self) -> Result<LmdbRead> {
        let guard = self.env.read();
        let env = guard.as_ref().ok_or(Error::Closed { what: "the store" })?;
        let counted = Counted::new(&self.readers);
        let transaction = env.clone().static_read_txn().map_err(failed(&self.path, "mdb_txn_begin"))?;
        let Databases { names, state, .. } = self.databases;
        Ok(LmdbRead {
            transaction,
            _counted: counted,
            state,
            names,
            page_bytes: self.page_bytes,
            // Asked for behind the transaction's beginning: all that it can come to is below.
            pages: env.info().last_page_number as u64 + 1,
            tree: OnceCell::new(),
            path: self.path.clone(),
        })
    }
}

fn file_bytes(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn open_databases(env: &Env<WithoutTls>) -> heed::Result<Databases> {
    let transaction = env.write_txn()?;
    let opened = env.create_databases_and_commit(transaction, |opener, transaction| {
        let names = opener.create_database::<Bytes, Bytes>(transaction, None)?;
        let state = opener.create_database::<Bytes, Bytes>(transaction, Some(STATE))?;
        let meta = opener.create_database::<Bytes, Bytes>(transaction, Some("meta"))?;
        let catalog = opener.create_database::<Bytes, Bytes>(transaction, Some("catalog"))?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((names, state, meta, catalog)))
    })?;
    match opened {
        CommitOrAbort::Commit((names, state, meta, catalog)) => Ok(Databases { names, state, meta, catalog }),
        CommitOrAbort::Abort(()) => Err(heed::Error::Io(io::Error::other("opening the databases was aborted"))),
    }
}

impl Checkpoint for LmdbCheckpoint {
    fn load(&self) -> Result<Loaded> {
        let env = self.env()?;
        let failed = failed(&self.path, "mdb_get");
        let transaction = env.read_txn().map_err(&failed)?;
        let meta = match self.databases.meta.get(&transaction, META_KEY).map_err(&failed)? {
            None => None,
            Some(stored) => match value::decode(META_KEY, stored).map(MetaRecord::decode) {
                Some(Ok(Some(meta))) => Some(meta),
                None | Some(Ok(None)) => {
                    return Err(Error::corrupt(&self.path, 0, "the meta record of the state is damaged"));
                }
                Some(Err(found)) => return Err(Error::Format { found: found.to_string(), supported: "1".into() }),
            },
        };
        let unfinished = self.databases.meta.get(&transaction, UNFINISHED_KEY).map_err(&failed)?;
        let unfinished_seq = match unfinished
            .map(|stored| value::decode(UNFINISHED_KEY, stored).map_or(Ok(None), unfinished_flush::decode))
        {
            None => 0,
            Some(Ok(Some(seq))) => seq,
            Some(Ok(None)) => return Err(Error::corrupt(&self.path, 0, "the record of a flush is damaged")),
            Some(Err(found)) => return Err(Error::Format { found: found.to_string(), supported: "1".into() }),
        };
        let mut catalog = Vec::new();
        for entry in self.databases.catalog.iter(&transaction).map_err(&failed)? {
            let (key, stored) = entry.map_err(&failed)?;
            let id = key.try_into().map(u32::from_be_bytes).ok();
            let entry = id.and_then(|id| decode_entry(id, value::decode(key, stored)?));
            catalog.push(entry.ok_or_else(|| Error::corrupt(&self.path, 0, "a catalogue entry is damaged"))?);
        }
        Ok(Loaded { meta, unfinished_seq, catalog })
    }

    fn begin(&self) -> Result<Box<dyn CheckpointRead>> {
        Ok(Box::new(self.begin_read()?))
    }

    fn write(&self, batch: &Batch<'_>, at: &dyn Fn(Part)) -> Result<()> {
        let env = self.env()?;
        let written = self.write_operations(&env, batch, at);
        written.map_err(|error| told_apart(error, batch.delta.bytes(), &*self.vfs, &self.dir))?;
        flush_file(&self.path)
    }

    fn purge(&self, collection: u32) -> Result<bool> {
        let more = self.purge_part(collection).map_err(|error| told_apart(error, 0, &*self.vfs, &self.dir))?;
        flush_file(&self.path)?;
        Ok(more)
    }

    /// A full map is made larger at a moment without readers; other lack of space is the device's.
    #[allow(unsafe_code, reason = "LMDB moves its map")]
    fn can_retry(&self, error: &Error) -> bool {
        let Error::NoSpace(failure) = error else { return false };
        if failure.errno().is_some() {
            return true;
        }
        let guard = self.env.write();
        let Some(env) = guard.as_ref() else { return false };
        if self.readers.load(Ordering::Acquire) == 0 {
            let larger = self.map_bytes.load(Ordering::Relaxed).saturating_mul(2);
            let bytes = usize::try_from(larger).unwrap_or(usize::MAX);
            // SAFETY: no transaction is active: this is the only thread that writes, the count of readers is 0, and none
            // can begin while the write lock on the environment is held.
            if unsafe { env.resize(bytes) }.is_ok() {
                self.map_bytes.store(larger, Ordering::Relaxed);
            }
        }
        true
    }

    fn verify(&self, report: &mut Report, cancelled: &dyn Fn() -> bool) -> Result<()> {
        let pin = || self.begin_read().map(|read| (read.transaction.id() as u64, read));
        verify_data_file(&*self.vfs, &self.path, &pin, report, cancelled)
    }

    fn size(&self) -> CheckpointSize {
        CheckpointSize { used: file_bytes(&self.path), mapped: self.map_bytes.load(Ordering::Relaxed) }
    }

    fn close(&self) {
        let env = self.env.write().take();
        if let Some(env) = env {
            let closing = env.prepare_for_closing();
            // Readers that are still out (a snapshot about to be released) keep the environment; it goes with the last.
            closing.wait_timeout(std::time::Duration::from_secs(1));
        }
    }
}
