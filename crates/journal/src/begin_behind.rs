//! A journal that begins behind frames which it does not have: a checkpoint that came from elsewhere holds them. It is what a closed journal
//! leaves: a file without frames that continues the last one.

use std::path::Path;

use ledgerstone_format::StoreId;
use ledgerstone_vfs::Vfs;

use crate::{
    Position, Result,
    file_header::{FRAMES_START, FileHeader, make_salt},
    journal::make_headed,
};

/// The file that would hold the frames.
const BEFORE: u64 = 1;

/// Makes it in the folder `dir`, which is there and empty; durable when this returns. `last_seq`: the last frame that the checkpoint has, from 1;
/// `crc`: that frame's checksum. Where the checkpoint has to say that it has come to.
pub fn begin_behind(vfs: &dyn Vfs, dir: &Path, store_id: StoreId, last_seq: u64, crc: u32) -> Result<Position> {
    let number = BEFORE + 1;
    let mut header = FileHeader { store_id, number, first_seq: last_seq + 1, salt: 0, previous_crc: crc };
    header.salt = make_salt(&header, vfs.random());
    make_headed(vfs, dir, &header).map_err(crate::error::Failure::into_error)?;
    Ok(Position { file: BEFORE, offset: FRAMES_START, crc })
}
