//! The life of LMDB's environment: opened, enlarged, and opened once more for reading if a failed flush makes LMDB refuse new
//! transactions. No transaction is ever begun in one that has lost its map.

use std::{io, path::Path};

use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, MdbError, WithoutTls, types::Bytes};
use ledgerstone_vfs::{FileError, VfsFile};

use super::{MAX_READERS, close_on_exec::close_on_exec, lmdb::failed, mapping::can_be_mapped};
use crate::{Error, error::Result, registry::PATIENCE};

pub(super) type Bytewise = Database<'static, Bytes, Bytes>;

/// The name of the database of entries.
pub(super) const STATE: &str = "state";

/// A map begins and ends at multiples of this, whatever the size of the system's pages.
const MAP_PIECE_BYTES: u64 = 1 << 16;
/// A map grows by an eighth or more, and at least by this, in bytes.
const LEAST_GROWTH_BYTES: u64 = 1 << 20;
/// This much address space is left to the rest of the process: without space for its heap a process dies.
const HEADROOM_BYTES: u64 = 128 << 20;

#[derive(Clone, Copy, Debug)]
pub(super) struct Databases {
    /// LMDB's main database: the others by name.
    pub(super) names: Bytewise,
    pub(super) state: Bytewise,
    pub(super) meta: Bytewise,
    pub(super) catalog: Bytewise,
}

/// An environment with its databases, whose handles are valid in it alone.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    pub(super) env: Env<WithoutTls>,
    pub(super) databases: Databases,
}

/// The state of the environment.
#[derive(Debug)]
pub(super) enum Life {
    Open(Environment),
    /// It has lost its map while growing, and there was no address space for another one yet.
    Lost,
    Closed,
}

impl Environment {
    /// Opens the environment with the file `data`, which may be empty, with a map of `map_bytes`.
    pub(super) fn open(data: &dyn VfsFile, map_bytes: u64) -> Result<Self> {
        let dir = data.path().parent().unwrap_or(data.path());
        await_end_of(dir)?;
        in_place(data, || Self::open_at(dir, map_bytes))
    }

    /// Opens the file once more, only for reading, beside an environment that no longer writes.
    pub(super) fn open_beside(data: &dyn VfsFile, map_bytes: u64) -> Result<Self> {
        in_place(data, || Self::open_beside_at(data.path(), map_bytes))
    }

    #[allow(unsafe_code, reason = "LMDB maps a file")]
    fn open_at(dir: &Path, map_bytes: u64) -> heed::Result<Self> {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.max_dbs(3).max_readers(MAX_READERS).map_size(usize::try_from(map_bytes).unwrap_or(usize::MAX));
        // SAFETY: the store's lock file keeps other processes out, the registry keeps this process from opening a path twice,
        // and only LMDB writes to the file while it is mapped. The pre-check has seen that it is complete.
        let env = unsafe { options.open(dir) }?;
        close_on_exec(&env.try_clone_inner_file()?);
        env.clear_stale_readers()?;
        let transaction = env.write_txn()?;
        let opened = env.create_databases_and_commit(transaction, |opener, transaction| {
            let names = opener.create_database::<Bytes, Bytes>(transaction, None)?;
            let state = opener.create_database::<Bytes, Bytes>(transaction, Some(STATE))?;
            let meta = opener.create_database::<Bytes, Bytes>(transaction, Some("meta"))?;
            let catalog = opener.create_database::<Bytes, Bytes>(transaction, Some("catalog"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((names, state, meta, catalog)))
        })?;
        Self::with(env, &opened)
    }

    #[allow(unsafe_code, reason = "LMDB maps a file")]
    fn open_beside_at(path: &Path, map_bytes: u64) -> heed::Result<Self> {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.max_dbs(3).map_size(usize::try_from(map_bytes).unwrap_or(usize::MAX));
        // SAFETY: without locks, because there is no writer: LMDB has refused every transaction in the other environment since
        // the failure that makes this one necessary. The file is as long as the map needs it.
        let env = unsafe {
            options.flags(EnvFlags::READ_ONLY | EnvFlags::NO_LOCK | EnvFlags::NO_SUB_DIR);
            options.open(path)
        }?;
        close_on_exec(&env.try_clone_inner_file()?);
        let transaction = env.read_txn()?;
        let opened = env.open_databases_and_commit(transaction, |opener, transaction| {
            let missing = || heed::Error::Mdb(MdbError::NotFound);
            let open = |name| opener.open_database::<Bytes, Bytes>(transaction, name)?.ok_or_else(missing);
            let databases = (open(None)?, open(Some(STATE))?, open(Some("meta"))?, open(Some("catalog"))?);
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(databases))
        })?;
        Self::with(env, &opened)
    }

    fn with(
        env: Env<WithoutTls>,
        opened: &CommitOrAbort<(Bytewise, Bytewise, Bytewise, Bytewise), ()>,
    ) -> heed::Result<Self> {
        match *opened {
            CommitOrAbort::Commit((names, state, meta, catalog)) => {
                Ok(Self { env, databases: Databases { names, state, meta, catalog } })
            }
            CommitOrAbort::Abort(()) => Err(heed::Error::Io(io::Error::other("opening the databases was aborted"))),
        }
    }

    pub(super) fn close(self) {
        let closing = self.env.prepare_for_closing();
        // Remaining readers (a snapshot about to be released) keep the environment; it ends with the last.
        closing.wait_timeout(std::time::Duration::from_secs(1));
    }
}

/// There is one environment per path. That of an earlier store at this path, whose folder is gone, ends with its last user: a
/// flush under way.
fn await_end_of(dir: &Path) -> Result<()> {
    match heed::env_closing_event(dir) {
        Some(end) if !end.wait_timeout(PATIENCE) => {
            Err(Error::Changing { waited_ms: u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX) })
        }
        _ => Ok(()),
    }
}

/// LMDB follows the path, wherever that leads by now: it is called only while the path leads to the file `data`, and the
/// environment it opens is valid only if the path still does afterwards.
fn in_place(data: &dyn VfsFile, open: impl FnOnce() -> heed::Result<Environment>) -> Result<Environment> {
    data.check_in_place()?;
    let environment = open().map_err(failed(data.path(), "mdb_env_open"))?;
    match data.check_in_place() {
        Ok(()) => Ok(environment),
        Err(gone) => {
            environment.close();
            Err(gone.into())
        }
    }
}

impl Life {
    pub(super) fn environment(&self, path: &Path) -> Result<&Environment> {
        match self {
            Self::Open(environment) => Ok(environment),
            Self::Lost => Err(no_address_space(path)),
            Self::Closed => Err(Error::Closed { what: "the store" }),
        }
    }

    /// Enlarges the map; returns its size. In any outcome the environment is as before, or larger, or there is none that
    /// anybody could read.
    ///
    /// # Safety
    ///
    /// No transaction is open, and none can begin.
    #[allow(unsafe_code, reason = "LMDB moves its map")]
    pub(super) unsafe fn grow(&mut self, data: &dyn VfsFile, map_bytes: u64) -> Result<u64> {
        let refused = || Err(no_address_space(data.path()));
        match self {
            Self::Closed => return Err(Error::Closed { what: "the store" }),
            Self::Lost => self.reopen(data, map_bytes)?,
            Self::Open(_) => {}
        }
        let mut more = map_bytes;
        while !can_be_mapped(more.saturating_add(HEADROOM_BYTES)) {
            more = (more / 2).next_multiple_of(MAP_PIECE_BYTES);
            if more < LEAST_GROWTH_BYTES.max(map_bytes / 8) {
                return refused();
            }
        }
        // SAFETY: the caller's promise.
        if unsafe { self.remap(data, map_bytes, map_bytes.saturating_add(more)) } {
            Ok(map_bytes.saturating_add(more))
        } else {
            refused()
        }
    }

    /// LMDB gives up its map before it requests the new one: if that fails, the environment is opened anew with its previous size.
    ///
    /// # Safety
    ///
    /// As for [`grow`](Self::grow).
    #[allow(unsafe_code, reason = "LMDB moves its map")]
    unsafe fn remap(&mut self, data: &dyn VfsFile, before: u64, after: u64) -> bool {
        let Self::Open(environment) = self else { return false };
        // SAFETY: the caller's promise.
        if unsafe { environment.env.resize(usize::try_from(after).unwrap_or(usize::MAX)) }.is_ok() {
            return true;
        }
        if let Self::Open(lost) = std::mem::replace(self, Self::Lost) {
            lost.close();
        }
        // If this fails, the next flush tries again.
        let _ = self.reopen(data, before);
        false
    }

    fn reopen(&mut self, data: &dyn VfsFile, map_bytes: u64) -> Result<()> {
        data.check_in_place()?;
        *self = Self::Open(Environment::open(data, map_bytes).map_err(|_| no_address_space(data.path()))?);
        Ok(())
    }
}

fn no_address_space(path: &Path) -> Error {
    const ENOMEM: i32 = 12;
    Error::NoSpace(FileError::new("mmap", path, io::Error::from_raw_os_error(ENOMEM)))
}

/// The size of a map for a file of `file_bytes` when at least `wanted` bytes are requested.
pub(super) fn map_bytes_for(wanted: u64, file_bytes: u64) -> u64 {
    let twice = file_bytes.next_multiple_of(MAP_PIECE_BYTES).saturating_mul(2);
    wanted.next_multiple_of(MAP_PIECE_BYTES).max(twice)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::Arc};

    use ledgerstone_vfs::{OpenHow, OsVfs, Vfs as _, VfsFile};

    use super::{Environment, Life};

    /// An environment in a new folder.
    fn made(dir: &Path) -> (Arc<dyn VfsFile>, Life) {
        fs::create_dir_all(dir).unwrap();
        let data = OsVfs.open(&dir.join("data.mdb"), OpenHow::CreateNew).unwrap();
        let life = Life::Open(Environment::open(&*data, 1 << 20).unwrap());
        (data, life)
    }

    /// Bug: after the map was lost and the folder replaced, the state continued in whatever folder was at the path. Mechanism:
    /// LMDB was opened anew by the path. Fix: it is opened only if the path leads to the file that was opened first.
    #[test]
    #[cfg(unix)]
    #[allow(unsafe_code, clippy::disallowed_methods, reason = "what is tested, and a folder that somebody else moves")]
    fn an_environment_is_never_opened_anew_in_another_folder() {
        let dir = std::env::temp_dir().join(format!("ledgerstone-environment-moved-{}", std::process::id()));
        let elsewhere = dir.with_extension("elsewhere");
        let (data, mut life) = made(&dir);
        fs::rename(&dir, &elsewhere).unwrap();
        fs::create_dir(&dir).unwrap();
        // SAFETY: no transaction is open. No address space has room for this.
        assert!(!unsafe { life.remap(&*data, 1 << 20, 1 << 60) });
        assert_eq!(life.environment(data.path()).unwrap_err().code(), "ERR_NO_SPACE");
        // SAFETY: no transaction is open.
        assert_eq!(unsafe { life.grow(&*data, 1 << 20) }.unwrap_err().code(), "ERR_IO");
        assert_eq!(Environment::open_beside(&*data, 1 << 20).unwrap_err().code(), "ERR_IO");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        for folder in [dir, elsewhere] {
            fs::remove_dir_all(folder).unwrap();
        }
    }

    /// Bug: a map that could not be enlarged left the environment without any, and the next read ended the process (SIGSEGV).
    /// Mechanism: LMDB unmaps before it maps. Fix: a map that may not fit is not tried, and an environment that has lost its
    /// map all the same is opened anew before a transaction may begin.
    #[test]
    #[allow(unsafe_code, reason = "what is tested")]
    fn an_environment_that_loses_its_map_is_opened_anew_as_it_was() {
        let dir = std::env::temp_dir().join(format!("ledgerstone-environment-{}", std::process::id()));
        let (data, mut life) = made(&dir);
        let put = |life: &Life, key: &[u8]| {
            let Environment { env, databases } = life.environment(data.path()).unwrap();
            let mut transaction = env.write_txn().unwrap();
            databases.state.put(&mut transaction, key, b"value").unwrap();
            transaction.commit().unwrap();
        };
        let len = |life: &Life| {
            let Environment { env, databases } = life.environment(data.path()).unwrap();
            databases.state.len(&env.read_txn().unwrap()).unwrap()
        };
        put(&life, b"first");
        // SAFETY: no transaction is open. No address space has room for this.
        assert!(!unsafe { life.remap(&*data, 1 << 20, 1 << 60) });
        assert_eq!(len(&life), 1);
        put(&life, b"second");
        // SAFETY: no transaction is open.
        assert_eq!(unsafe { life.grow(&*data, 1 << 20) }.unwrap(), 2 << 20);
        assert_eq!(len(&life), 2);
        if let Life::Open(environment) = std::mem::replace(&mut life, Life::Closed) {
            environment.close();
        }
        assert_eq!(life.environment(data.path()).unwrap_err().code(), "ERR_CLOSED");
        fs::remove_dir_all(dir).unwrap();
    }
}
