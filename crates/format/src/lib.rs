//! Leaf of the workspace: the few types that all other crates share. Knows no files, no threads, no errors of other crates.

mod byte_reader;
pub mod checksum;
mod clean_mark;
pub mod compression;
mod damage;
mod durability;
#[cfg(feature = "planted-faults")]
mod fields;
mod identity;
pub mod memory;
mod planted;
pub mod sealed_record;
mod store_id;

pub use byte_reader::ByteReader;
pub use clean_mark::CleanMark;
pub use damage::{Damage, DamageKind};
pub use durability::Durability;
#[cfg(feature = "planted-faults")]
pub use fields::{FileField, Reseal, integers_read, record_fields};
pub use identity::{FORMAT_VERSION, FolderKind, Identity};
#[cfg(feature = "planted-faults")]
pub use planted::plant;
pub use planted::{PlantedFault, planted};
pub use store_id::StoreId;

/// The unit in which a device rewrites data, in bytes: flushed bytes never share a page with bytes written later.
pub const PAGE_BYTES: u64 = 4096;

/// The next multiple of `unit` (a power of two) at or above `offset`; saturates at the highest multiple.
pub const fn align_up(offset: u64, unit: u64) -> u64 {
    let mask = unit - 1;
    match offset.checked_add(mask) {
        Some(sum) => sum & !mask,
        None => !mask,
    }
}

#[cfg(test)]
mod tests {
    use super::align_up;

    #[test]
    fn aligning_rounds_up_and_saturates() {
        assert_eq!([align_up(0, 8), align_up(1, 8), align_up(8, 8), align_up(4097, 4096)], [0, 8, 8, 8192]);
        assert_eq!(align_up(u64::MAX, 4096), !4095);
    }
}
