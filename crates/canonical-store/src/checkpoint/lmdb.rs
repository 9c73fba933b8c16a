//! LMDB through heed, as the store's checkpoint. Default sync flags only; read transactions without thread-local storage; the
//! map grows while no reader uses it.

use std::{
    cell::{Cell, OnceCell},
    io,
    iter::Peekable,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use heed::{MdbError, PutFlags, RwTxn, types::Bytes};
use ledgerstone_format::{PlantedFault, planted};
use ledgerstone_vfs::{FileError, OpenHow, Vfs, VfsFile};
use ledgerstone_write_coordinator::Delta as _;
use parking_lot::{Mutex, RwLock};

use super::{
    Batch, Checkpoint, CheckpointRead, CheckpointSize, Filling, Idle, Loaded, MAX_READERS, Part,
    batch::{META_KEY, decode_entry, encode_entry},
    environment::{Databases, Environment, Life, map_bytes_for},
    flush_file::flush_file,
    lmdb_read::{Counted, LmdbRead},
    lock_file::fill_lock_file,
    precheck::{check_open_file, open_data_file},
    purge::purge_part,
    space::told_apart,
    unfinished_flush::{self, UNFINISHED_KEY},
    value,
    verify_file::verify_data_file,
};
use crate::{
    Error,
    delta::NetOp,
    error::{Result, WaitsFor, too_many_readers},
    meta::MetaRecord,
    verify::Report,
};

/// A write transaction ends after this many bytes or [`LmdbCheckpoint::PART_OPERATIONS`]: it keeps 4 KiB of heap for each leaf
/// that it touches.
const PART_BYTES: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct LmdbCheckpoint {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    path: PathBuf,
    /// LMDB's file, for file operations: its length, whether it is still in place.
    data: Arc<dyn VfsFile>,
    life: RwLock<Life>,
    /// For reading, after a failed flush makes LMDB refuse transactions in the other.
    beside: Mutex<Option<Environment>>,
    /// Open read transactions; the map does not move while there are any.
    readers: Arc<AtomicUsize>,
    /// The owners of idle transactions.
    idle: OnceLock<Arc<dyn Idle>>,
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
        heed::Error::Mdb(MdbError::ReadersFull) => too_many_readers(u64::from(MAX_READERS)),
        heed::Error::Mdb(
            error @ (MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::Invalid
            | MdbError::VersionMismatch
            | MdbError::Incompatible
            | MdbError::BadTxn),
        ) => Error::corrupt(path, 0, error.to_string()),
        // Without an error number of the operating system: the map itself is full, see `is_full_map`.
        heed::Error::Mdb(MdbError::MapFull) => {
            FileError::new(call, path, io::Error::new(io::ErrorKind::StorageFull, "the map is full")).into()
        }
        other => FileError::new(call, path, io::Error::other(other.to_string())).into(),
    }
}

/// LMDB has no page left in its map; the device may have space.
fn is_full_map(error: &Error) -> bool {
    matches!(error, Error::NoSpace(failure) if failure.errno().is_none())
}

impl LmdbCheckpoint {
    /// The maximum number of operations in one write transaction.
    pub(crate) const PART_OPERATIONS: u32 = 16 * 1024;

    /// The same, with parts of another size.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn with_part_operations(self, part_operations: u32) -> Self {
        Self { part_operations, ..self }
    }

    /// Opens the environment in `dir`, which exists; makes it if the folder is empty.
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, dir: &Path, map_bytes: u64) -> Result<Self> {
        let path = dir.join("data.mdb");
        // Made here, not by LMDB, which would follow a link. The handle is kept to check that LMDB opens the same file.
        let (data, is_new) = match open_data_file(&**vfs, &path)? {
            Some(data) => (data, false),
            None => (vfs.open(&path, OpenHow::CreateNew)?, true),
        };
        check_open_file(&*data)?;
        fill_lock_file(&**vfs, dir)?;
        let map_bytes = map_bytes_for(map_bytes, data.len()?);
        let environment = Environment::open(&*data, map_bytes)?;
        let page_bytes = environment.env.unnamed_database_stat().page_size as usize;
        if is_new {
            // LMDB flushes its file but never its name: the journal must not be recycled for a file that a power cut removes.
            vfs.sync_dir(dir)?;
        }
        Ok(Self {
            vfs: Arc::clone(vfs),
            dir: dir.to_path_buf(),
            path,
            data,
            life: RwLock::new(Life::Open(environment)),
            beside: Mutex::default(),
            readers: Arc::default(),
            idle: OnceLock::new(),
            map_bytes: AtomicU64::new(map_bytes),
            page_bytes,
            part_operations: Self::PART_OPERATIONS,
            scratch: Mutex::default(),
        })
    }

    fn environment(&self) -> Result<Environment> {
        Ok(self.life.read().environment(&self.path)?.clone())
    }

    /// Writes. When the map is full, enlarges it and starts again: the failed attempt has left nothing behind.
    fn with_room(&self, write_bytes: u64, write: &dyn Fn(&Environment) -> Result<()>) -> Result<()> {
        loop {
            let written = self.environment().and_then(|environment| write(&environment));
            let lacks_map = |error: &Error| is_full_map(error) || matches!(*self.life.read(), Life::Lost);
            if !written.as_ref().is_err_and(lacks_map) {
                return written.map_err(|error| told_apart(error, write_bytes, &*self.vfs, &self.dir));
            }
            self.grow(write_bytes)?;
        }
    }

    /// Enlarges the map. Idle transactions are taken back first; transactions in use keep the map where it is, and the error says so.
    #[allow(unsafe_code, reason = "LMDB moves its map")]
    fn grow(&self, pending_bytes: u64) -> Result<()> {
        // From here on no transaction begins.
        let mut life = self.life.write();
        self.take_idle_back();
        if self.readers.load(Ordering::Acquire) > 0 {
            return Err(Error::Backpressure { pending_bytes, oldest_reader_ms: None, waits_for: WaitsFor::Growth });
        }
        // SAFETY: no transaction is active: only this thread writes, the count of readers is 0, and none can begin while the
        // lock is held for writing.
        let bytes = unsafe { life.grow(&*self.data, self.map_bytes.load(Ordering::Relaxed)) }?;
        self.map_bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn take_idle_back(&self) {
        if let Some(idle) = self.idle.get() {
            idle.take_back();
        }
    }

    fn write_operations(&self, environment: &Environment, batch: &Batch<'_>, at: &dyn Fn(Part)) -> Result<()> {
        let Environment { env, databases } = environment;
        let failed = failed(&self.path, "mdb_put");
        let net = batch.delta.net();
        let mut ops = net.ops().filter(|op| !batch.dropped.contains(&op.collection)).peekable();
        for part in 0.. {
            let mut transaction = env.write_txn().map_err(&failed)?;
            self.write_part(databases, &mut transaction, &mut ops).map_err(&failed)?;
            if ops.peek().is_none() {
                write_account(databases, &mut transaction, batch).map_err(&failed)?;
                transaction.commit().map_err(&failed)?;
                break;
            }
            if part == 0 && !planted(PlantedFault::FlushNotWitnessed) {
                let mut stored = Vec::new();
                value::encode(&mut stored, UNFINISHED_KEY, 0, &unfinished_flush::encode(batch.meta.applied_seq));
                databases.meta.put(&mut transaction, UNFINISHED_KEY, &stored).map_err(&failed)?;
            }
            transaction.commit().map_err(&failed)?;
            at(Part::State(part));
        }
        self.scratch.lock().shrink_to(1 << 20);
        at(Part::Last);
        Ok(())
    }

    /// Writes operations until one transaction has enough of them. They come in order, so one cursor finds most places on its current page.
    #[allow(unsafe_code, reason = "a cursor that puts")]
    fn write_part<'a>(
        &self,
        databases: &Databases,
        transaction: &mut RwTxn<'_>,
        ops: &mut Peekable<impl Iterator<Item = NetOp<'a>>>,
    ) -> heed::Result<()> {
        let (mut operations, mut bytes) = (0, 0);
        let mut key = Vec::new();
        let mut stored = self.scratch.lock();
        let state = databases.state;
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
                let value = op.value.unwrap_or_default();
                stored.clear();
                let no_memory = |_| heed::Error::Io(io::ErrorKind::OutOfMemory.into());
                stored.try_reserve(value::HEAD_BYTES + value.len()).map_err(no_memory)?;
                value::encode(&mut stored, &key, op.seq, value);
                // SAFETY: key and value are our memory, not borrowed from the database.
                unsafe { cursor.put_current_with_options::<Bytes>(PutFlags::empty(), &key, &stored) }?;
                operations += 1;
                bytes += key.len() + stored.len();
            }
        }
        Ok(())
    }

    fn begin_read(&self) -> Result<LmdbRead> {
        let attempt = || self.life.read().environment(&self.path).map(|environment| self.begin_in(environment));
        let read = match attempt()? {
            Err(heed::Error::Mdb(MdbError::Panic)) => return self.begin_beside(),
            Err(heed::Error::Mdb(MdbError::ReadersFull)) => {
                self.take_idle_back();
                attempt()?
            }
            read => read,
        };
        read.map_err(failed(&self.path, "mdb_txn_begin"))
    }

    fn begin_in(&self, environment: &Environment) -> heed::Result<LmdbRead> {
        let Environment { env, databases } = environment;
        let counted = Counted::new(&self.readers);
        let transaction = env.clone().static_read_txn()?;
        Ok(LmdbRead {
            transaction,
            _counted: counted,
            databases: *databases,
            page_bytes: self.page_bytes,
            // Read after the transaction has begun: all pages that it can reach are below.
            pages: env.info().last_page_number as u64 + 1,
            tree: OnceCell::new(),
            path: self.path.clone(),
        })
    }

    /// After a failed flush of its meta page LMDB begins no transaction in that environment. What was flushed before remains
    /// readable, in a separate one.
    fn begin_beside(&self) -> Result<LmdbRead> {
        let mut beside = self.beside.lock();
        let environment = match beside.take() {
            Some(environment) => environment,
            None => Environment::open_beside(&*self.data, self.map_bytes.load(Ordering::Relaxed))?,
        };
        self.begin_in(beside.insert(environment)).map_err(failed(&self.path, "mdb_txn_begin"))
    }
}

fn write_account(databases: &Databases, last: &mut RwTxn<'_>, batch: &Batch<'_>) -> heed::Result<()> {
    let mut stored = Vec::new();
    for entry in &batch.catalog {
        let key = entry.id.to_be_bytes();
        value::encode(&mut stored, &key, 0, &encode_entry(entry));
        if databases.catalog.get(last, &key)? != Some(stored.as_slice()) {
            databases.catalog.put(last, &key, &stored)?;
        }
    }
    databases.meta.delete(last, UNFINISHED_KEY)?;
    value::encode(&mut stored, META_KEY, 0, &batch.meta.encode());
    databases.meta.put(last, META_KEY, &stored)
}

impl Checkpoint for LmdbCheckpoint {
    fn load(&self) -> Result<Loaded> {
        let (failed, read) = (failed(&self.path, "mdb_get"), self.begin_read()?);
        let LmdbRead { transaction, databases, .. } = &read;
        let meta = match databases.meta.get(transaction, META_KEY).map_err(&failed)? {
            None => None,
            Some(stored) => match value::decode(META_KEY, stored).map(MetaRecord::decode) {
                Some(Ok(Some(meta))) => Some(meta),
                None | Some(Ok(None)) => {
                    return Err(Error::corrupt(&self.path, 0, "the meta record of the state is damaged"));
                }
                Some(Err(found)) => return Err(Error::Format { found: found.to_string(), supported: "1".into() }),
            },
        };
        let unfinished = databases.meta.get(transaction, UNFINISHED_KEY).map_err(&failed)?;
        let unfinished_seq = match unfinished
            .map(|stored| value::decode(UNFINISHED_KEY, stored).map_or(Ok(None), unfinished_flush::decode))
        {
            None => 0,
            Some(Ok(Some(seq))) => seq,
            Some(Ok(None)) => return Err(Error::corrupt(&self.path, 0, "the record of a flush is damaged")),
            Some(Err(found)) => return Err(Error::Format { found: found.to_string(), supported: "1".into() }),
        };
        let mut catalog = Vec::new();
        for entry in databases.catalog.iter(transaction).map_err(&failed)? {
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

    fn share_with(&self, idle: Arc<dyn Idle>) {
        let _ = self.idle.set(idle);
    }

    fn write(&self, batch: &Batch<'_>, at: &dyn Fn(Part)) -> Result<()> {
        self.with_room(batch.delta.bytes(), &|environment| self.write_operations(environment, batch, at))?;
        flush_file(&self.path)?;
        Ok(self.data.check_in_place()?)
    }

    fn fill(&self, entries: &Filling) -> Result<()> {
        self.with_room(entries.bytes(), &|environment| entries.put_into(environment, &self.path))?;
        flush_file(&self.path)
    }

    fn purge(&self, collection: u32) -> Result<bool> {
        let more = Cell::new(false);
        self.with_room(0, &|environment| {
            more.set(purge_part(environment, &self.path, collection)?);
            Ok(())
        })?;
        flush_file(&self.path)?;
        Ok(more.get())
    }

    fn can_retry(&self, error: &Error) -> bool {
        error.can_heal()
    }

    fn verify(&self, report: &mut Report, cancelled: &dyn Fn() -> bool) -> Result<()> {
        let pin = || self.begin_read().map(|read| (read.transaction.id() as u64, read));
        verify_data_file(&*self.vfs, &self.path, &pin, report, cancelled)
    }

    fn size(&self) -> CheckpointSize {
        CheckpointSize { used: self.data.len().unwrap_or_default(), mapped: self.map_bytes.load(Ordering::Relaxed) }
    }

    fn close(&self) {
        let life = std::mem::replace(&mut *self.life.write(), Life::Closed);
        if let Life::Open(environment) = life {
            environment.close();
        }
        let beside = self.beside.lock().take();
        if let Some(environment) = beside {
            environment.close();
        }
    }
}
