//! Opens a log on its own: reads and judges everything, and only then changes files.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use ledgerstone_format::{CleanMark, Identity, StoreId};
use ledgerstone_vfs::{
    Clock, FolderLock, LastMark, OsVfs, OwnedFolder, SystemClock, Unfinished, Verifications, Vfs, random_id,
};
use parking_lot::{Mutex, RwLock};

use super::{Life, Opening, OwnedLog, OwnedLogOptions, Recovery, folder::judge_unfinished};
use crate::{
    Error, EventLog, Result, RetentionClock, Scan,
    horizon::{HORIZON_NAME, HorizonFile},
    recovery::{holds_events, owner_of_segments, scan},
};

/// The environment of a log.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The file system that holds its files.
    pub vfs: Arc<dyn Vfs>,
    /// Where its timestamps come from.
    pub clock: Arc<dyn Clock>,
    /// Makes the id of a new log.
    pub new_id: fn(&dyn Vfs) -> StoreId,
}

impl Ground {
    /// The operating system's files, clock and randomness.
    pub fn system() -> Self {
        Self { vfs: Arc::new(OsVfs), clock: Arc::new(SystemClock::new()), new_id: random_id }
    }
}

impl OwnedLog {
    /// Opens the log in the folder `dir` with `options`. Blocks.
    ///
    /// # Errors
    /// [`Error::Locked`] when it is open elsewhere, in this process or another; [`Error::NotFound`]; [`Error::Corrupt`] for
    /// damage other than a torn tail (after a clean close, for any); [`Error::Format`]; [`Error::InvalidArgument`] for an
    /// option out of range; [`Error::FileSystem`]; [`Error::Io`], [`Error::NoSpace`].
    pub fn open(ground: &Ground, dir: &Path, options: OwnedLogOptions) -> Result<Self> {
        options.check()?;
        let at = Opener { ground: ground.clone(), dir, options };
        let log = match options.opening {
            Opening::ReadOnly => at.assemble(at.read_only()?),
            Opening::CreateOrOpen | Opening::Existing => {
                at.prepare_folder()?;
                let vfs = ground.vfs.anchored(dir)?.unwrap_or_else(|| Arc::clone(&ground.vfs));
                let at = Opener { ground: Ground { vfs, ..ground.clone() }, ..at };
                at.assemble(at.for_writing(&*ground.vfs)?)
            }
        };
        if options.opening != Opening::ReadOnly && log.horizon().is_some() {
            log.apply_retention()?;
        }
        Ok(log)
    }
}

struct Opener<'a> {
    ground: Ground,
    dir: &'a Path,
    options: OwnedLogOptions,
}

struct Opened {
    log: Arc<EventLog>,
    log_id: StoreId,
    identity: Option<Identity>,
    recovery: Recovery,
    last_mark: LastMark,
    lock: Option<FolderLock>,
}

impl Opener<'_> {
    fn prepare_folder(&self) -> Result<()> {
        let (vfs, dir) = (&*self.ground.vfs, self.dir);
        // Reading changes nothing and locks nothing, so it is always allowed.
        self.folder().check_file_system(self.options.allow_network_file_system)?;
        if self.options.opening == Opening::CreateOrOpen {
            vfs.create_dir_all(dir)?;
        } else if !vfs.exists(dir)? {
            return Err(self.not_found());
        }
        Ok(())
    }

    /// `around`: the file system around the folder.
    fn for_writing(&self, around: &dyn Vfs) -> Result<Opened> {
        let (vfs, dir) = (&*self.ground.vfs, self.dir);
        let folder = self.folder();
        folder.check_kind()?;
        folder.check_not_part_of_store(around)?;
        if self.options.opening == Opening::Existing
            && !vfs.exists(&folder.identity_path())?
            && !holds_events(vfs, dir)?
        {
            return Err(self.not_found());
        }
        let lock = folder.lock()?;
        let identity = folder.identity()?;
        let unfinished = if identity.is_none() { judge_unfinished(vfs, dir)? } else { None };
        // From here on the folder is known to be ours or unowned.
        let lock = Some(folder.announce(lock, &*self.ground.clock)?);
        let Some(identity) = identity else {
            return Ok(Opened { lock, ..self.make(unfinished)? });
        };
        let log_id = identity.id;
        let mark = folder.clean_mark(log_id)?;
        let mut scan = scan(&self.ground.vfs, dir, log_id)?;
        self.judge(&scan, &identity, mark)?;
        // All checks have passed. From here on files are changed.
        match mark {
            Some(mark) => scan.was_closed_at(mark.next_event_id),
            // A process may have died after it named a file and before it flushed the folder.
            None => vfs.sync_dir(dir)?,
        }
        let recovery = Recovery { torn: scan.torn().cloned(), was_closed: mark.is_some() };
        let log = scan.open(self.options.log(), None)?;
        let last_mark = LastMark::found(folder, mark.is_some())?;
        Ok(Opened { log, log_id, identity: Some(identity), recovery, last_mark, lock })
    }

    fn folder(&self) -> OwnedFolder<'_> {
        OwnedFolder::of_log(&*self.ground.vfs, self.dir)
    }

    /// Makes the log: the identity is prepared first, and gets its name when the folder is complete.
    fn make(&self, unfinished: Option<Unfinished>) -> Result<Opened> {
        let (vfs, dir) = (&self.ground.vfs, self.dir);
        if self.options.opening == Opening::Existing {
            return Err(self.not_found());
        }
        let folder = self.folder();
        folder.sync_name()?;
        let first_event_id = self.options.first_event_id;
        let (identity, prepared) = match unfinished {
            Some(Unfinished { identity, prepared }) if identity.first_event_id == first_event_id => {
                (identity, prepared)
            }
            unfinished => {
                let new_id = || (self.ground.new_id)(&**vfs);
                let log_id = unfinished.map_or_else(new_id, |unfinished| unfinished.identity.id);
                let identity = Identity::of_log(log_id, first_event_id, self.ground.clock.wall_ms());
                (identity, folder.prepare(&identity)?)
            }
        };
        let log_id = identity.id;
        let log = EventLog::create(Arc::clone(vfs), dir, log_id, self.options.log(), first_event_id)?;
        folder.establish(&prepared)?;
        let (recovery, last_mark) = (Recovery::default(), LastMark::none());
        Ok(Opened { log, log_id, identity: Some(identity), recovery, last_mark, lock: None })
    }

    /// Checks that the promised events exist: from the horizon, or from the first id without one, to where the log was closed.
    fn judge(&self, scan: &Scan, identity: &Identity, mark: Option<CleanMark>) -> Result<()> {
        if scan.horizon == HorizonFile::Damaged {
            return Err(self.corrupt(HORIZON_NAME, "the horizon file is damaged"));
        }
        let begins = identity.first_event_id.max(scan.horizon().unwrap_or_default());
        let promised = begins.max(mark.map_or(0, |mark| mark.next_event_id));
        let (first, next) = (scan.first_stored_id(), scan.next_event_id());
        if first > begins {
            let what = format!("the log begins too late: first_event_id={first} promised={begins}");
            return Err(self.corrupt("", &what));
        }
        if next < promised {
            let what = format!("the log ends too early: next_event_id={next} promised={promised}");
            let Some(torn) = scan.torn() else { return Err(self.corrupt("", &what)) };
            return Err(Error::Corrupt { file: torn.file.clone(), offset: torn.offset, what });
        }
        Ok(())
    }

    fn read_only(&self) -> Result<Opened> {
        let (vfs, dir) = (&self.ground.vfs, self.dir);
        let folder = self.folder();
        folder.check_kind()?;
        let identity = folder.identity()?;
        let owner = match identity {
            Some(identity) => Some(identity.id),
            None => owner_of_segments(&**vfs, dir)?,
        };
        let log_id = owner.ok_or_else(|| self.not_found())?;
        let mark = folder.clean_mark(log_id)?;
        let scan = scan(vfs, dir, log_id)?;
        if let Some(identity) = &identity {
            self.judge(&scan, identity, mark)?;
        }
        let recovery = Recovery { torn: scan.torn().cloned(), was_closed: mark.is_some() };
        let log = scan.open_read_only(self.options.log())?;
        Ok(Opened { log, log_id, identity, recovery, last_mark: LastMark::none(), lock: None })
    }

    fn assemble(&self, opened: Opened) -> OwnedLog {
        let Opened { log, log_id, identity, recovery, last_mark, lock } = opened;
        OwnedLog {
            vfs: Arc::clone(&self.ground.vfs),
            clock: Arc::clone(&self.ground.clock),
            dir: self.dir.to_path_buf(),
            log_id,
            identity,
            options: self.options,
            recovery,
            last_timestamp_ms: Mutex::new(log.last_timestamp_ms()),
            retention_clock: RetentionClock::new(&*self.ground.clock, log.last_timestamp_ms()),
            log,
            life: RwLock::new(Life { lock }),
            last_mark,
            verifications: Verifications::default(),
            closed: AtomicBool::new(false),
        }
    }

    fn not_found(&self) -> Error {
        Error::NotFound { path: self.dir.to_path_buf() }
    }

    fn corrupt(&self, name: &str, what: &str) -> Error {
        let file = if name.is_empty() { self.dir.to_path_buf() } else { self.dir.join(name) };
        Error::Corrupt { file, offset: 0, what: what.to_owned() }
    }
}
