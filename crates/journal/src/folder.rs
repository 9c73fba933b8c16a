//! The journal's folder as found: the files in use and the spares. Read only.

use std::path::{Path, PathBuf};

use ledgerstone_format::StoreId;
use ledgerstone_vfs::Vfs;

use crate::{
    Error, Result,
    file_header::{FORMAT, FileHeader, HeaderFound},
    file_name::number_of,
    frame_head::MAX_FRAME_BYTES,
    reader::FileReader,
};

/// Longer than any journal file: a frame that does not fit into an ordinary file gets a file for itself, with a header and room
/// for a seal.
pub(crate) const MAX_FILE_BYTES: u64 = MAX_FRAME_BYTES + (64 << 20);

/// A file whose header has the number in its name.
#[derive(Clone, Debug)]
pub(crate) struct InUse {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) header: FileHeader,
}

/// Any other file with a journal file's name.
#[derive(Clone, Debug)]
pub(crate) struct SpareFound {
    pub(crate) path: PathBuf,
    pub(crate) number: u64,
    pub(crate) len: u64,
    /// Judged by its content. A damaged header proves nothing, so the bytes behind it must be as we write them; any other file
    /// is neither used nor removed.
    pub(crate) is_ours: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// In order of number.
    pub(crate) in_use: Vec<InUse>,
    /// In order of number.
    pub(crate) spares: Vec<SpareFound>,
    /// Higher than every number in a name or a header.
    pub(crate) next_number: u64,
}

impl Folder {
    /// Reads every header. A missing folder counts as empty.
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
        if len > MAX_FILE_BYTES {
            return match found {
                HeaderFound::Valid(_) | HeaderFound::Foreign(_) => {
                    let what = format!("a journal file is longer than any can be: bytes={len} max={MAX_FILE_BYTES}");
                    Err(Error::Corrupt { file: path, offset: MAX_FILE_BYTES, what })
                }
                HeaderFound::Blank | HeaderFound::Damaged => Err(Error::Foreign {
                    path,
                    found: "a file that is longer than any of the journal",
                    expected: "a journal file",
                }),
            };
        }
        match found {
            HeaderFound::Foreign(found) => {
                return Err(Error::Format { file: path, found: u32::from(found), supported: u32::from(FORMAT) });
            }
            HeaderFound::Valid(header) if header.number == number => self.in_use.push(InUse { path, len, header }),
            HeaderFound::Valid(header) => {
                self.next_number = self.next_number.max(header.number.saturating_add(1));
                self.spares.push(SpareFound { path, number, len, is_ours: true });
            }
            HeaderFound::Blank => self.spares.push(SpareFound { path, number, len, is_ours: true }),
            HeaderFound::Damaged => {
                let is_ours = reader.is_ours_behind_header()?;
                self.spares.push(SpareFound { path, number, len, is_ours });
            }
        }
        Ok(())
    }

    /// Checks that every file in use belongs to this store.
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

/// Whether a file has the name and the content of a journal file, of any store, in use or not.
pub fn is_journal_file(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
    if path.file_name().and_then(number_of).is_none() {
        return Ok(false);
    }
    let mut reader = FileReader::open(vfs, path)?;
    Ok(match reader.header()? {
        HeaderFound::Valid(_) | HeaderFound::Foreign(_) | HeaderFound::Blank => true,
        HeaderFound::Damaged => reader.is_ours_behind_header()?,
    })
}

/// The files with a journal file's name, in order of number.
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
