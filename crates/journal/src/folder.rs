//! The journal's folder as it is found: which files are in use, which are spares. Reading only.

use std::path::{Path, PathBuf};

use ledgerstone_format::StoreId;
use ledgerstone_vfs::Vfs;

use crate::{
    Error, Result,
    file_header::{FORMAT, FileHeader, HeaderFound},
    file_name::number_of,
    reader::FileReader,
};

/// A file whose header carries the number in its name.
#[derive(Clone, Debug)]
pub(crate) struct InUse {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) header: FileHeader,
}

/// Any other file with a name of ours.
#[derive(Clone, Debug)]
pub(crate) struct SpareFound {
    pub(crate) path: PathBuf,
    pub(crate) number: u64,
    pub(crate) len: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// By number.
    pub(crate) in_use: Vec<InUse>,
    /// By number.
    pub(crate) spares: Vec<SpareFound>,
    /// Above every number in a name or a header.
    pub(crate) next_number: u64,
}

impl Folder {
    /// Reads every header. A missing folder is an empty one.
    pub(crate) fn read(vfs: &dyn Vfs, dir: &Path) -> Result<Self> {
        let mut folder = Self { next_number: 1, ..Self::default() };
        for (number, path) in journal_files(vfs, dir)? {
            folder.add(vfs, number, path)?;
        }
        Ok(folder)
    }

    fn add(&mut self, vfs: &dyn Vfs, number: u64, path: PathBuf) -> Result<()> {
        let mut reader = FileReader::open(vfs, &path)?;
        let (len, found) = (reader.len(), reader.header()?);
        self.next_number = self.next_number.max(number + 1);
        match found {
            HeaderFound::Foreign(found) => {
                return Err(Error::Format { file: path, found: u32::from(found), supported: u32::from(FORMAT) });
            }
            HeaderFound::Valid(header) if header.number == number => self.in_use.push(InUse { path, len, header }),
            HeaderFound::Valid(header) => {
                self.next_number = self.next_number.max(header.number.saturating_add(1));
                self.spares.push(SpareFound { path, number, len });
            }
            HeaderFound::Blank | HeaderFound::Damaged => self.spares.push(SpareFound { path, number, len }),
        }
        Ok(())
    }

    /// Every file in use must belong to this store.
    pub(crate) fn check_store(&self, store_id: StoreId) -> Result<()> {
        match self.in_use.iter().find(|file| file.header.store_id != store_id) {
            None => Ok(()),
            Some(file) => Err(Error::Corrupt {
                file: file.path.clone(),
                offset: 0,
                what: format!("it belongs to another store: found={} expected={store_id}", file.header.store_id),
            }),
        }
    }
}

/// The files with a name of ours, by number.
pub(crate) fn journal_files(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let names = match vfs.read_dir(dir) {
        Ok(names) => names,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut files: Vec<_> =
        names.iter().filter_map(|name| number_of(name).map(|number| (number, dir.join(name)))).collect();
    files.sort_unstable();
    Ok(files)
}
