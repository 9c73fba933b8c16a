//! The layouts, byte by byte.

use crate::hot::{
    page::{Page, event_page::EventPage, packed_keys::PackedKeys, packed_values::PackedValues, range_page::RangePage},
    pool::Pool,
};

fn pool(bytes: &mut [u8]) -> Pool {
    #[allow(unsafe_code, reason = "the array outlives the pool and is read only after its last use")]
    // SAFETY: as the reason says.
    unsafe {
        Pool::new(bytes.as_mut_ptr(), bytes.len())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn a_range_page_packs_entries_and_knows_ascii() {
    let mut bytes = [0xee; 64];
    let mut page = RangePage::new(pool(&mut bytes)).unwrap();
    assert!(page.put(b"key", b"va") && page.put(b"k", b""));
    assert_eq!(page.finish(true), Page::Filled(8 + 16 + 12));
    assert_eq!([u32_at(&bytes, 0), u32_at(&bytes, 4), u32_at(&bytes, 8), u32_at(&bytes, 12)], [2, 7, 3, 2]);
    assert_eq!(&bytes[16..21], b"keyva");
    assert_eq!([u32_at(&bytes, 24), u32_at(&bytes, 28)], [1, 0]);

    let mut page = RangePage::new(pool(&mut bytes)).unwrap();
    assert!(page.put("é".as_bytes(), b"\xff"));
    assert_eq!(page.finish(false), Page::Filled(20));
    assert_eq!(u32_at(&bytes, 4), 0);
    let mut page = RangePage::new(pool(&mut bytes)).unwrap();
    assert!(page.put(b"k", "é".as_bytes()) && page.put(b"l", b"ascii"));
    assert_eq!(page.finish(false), Page::Filled(8 + 12 + 16));
    assert_eq!(u32_at(&bytes, 4), 2);
}

#[test]
fn an_entry_that_does_not_fit_is_told_by_its_size() {
    let mut bytes = [0; 24];
    let mut page = RangePage::new(pool(&mut bytes)).unwrap();
    assert!(!page.put(b"k", &[7; 9]));
    assert_eq!(page.finish(false), Page::TooSmall);
    assert_eq!(u32_at(&bytes, 0), 28);
    // After something that fits it is only a full page.
    let mut page = RangePage::new(pool(&mut bytes)).unwrap();
    assert!(page.put(b"k", &[7; 7]) && !page.put(b"l", &[7; 9]));
    assert_eq!(page.finish(false), Page::Filled(24));
}

#[test]
fn an_event_page_begins_with_its_first_id() {
    let mut bytes = [0; 64];
    let mut page = EventPage::new(pool(&mut bytes)).unwrap();
    assert!(page.put(41, 1000, b"abc") && page.put(42, 1001, b""));
    assert_eq!(page.finish(true), Page::Filled(16 + 24 + 16));
    assert_eq!([u32_at(&bytes, 0), u32_at(&bytes, 4), u32_at(&bytes, 16)], [2, 3, 3]);
    assert_eq!(bytes[8..16], 41_f64.to_le_bytes());
    assert_eq!(bytes[24..32], 1000_f64.to_le_bytes());
    assert_eq!(&bytes[32..35], b"abc");
}

#[test]
fn pools_too_short_for_a_head_are_refused() {
    assert!(RangePage::new(pool(&mut [0; 7])).is_err());
    assert!(EventPage::new(pool(&mut [0; 15])).is_err());
    assert!(PackedValues::new(pool(&mut [0; 3])).is_err());
}

#[test]
fn packed_keys_are_read_back_and_checked() {
    let mut bytes = [3, 0, 0, 0, b'a', b'b', b'c', 0, 0, 0, 0, 0, 200, 0, 0, 0];
    let mut buffer = [0; 8];
    let mut keys = PackedKeys::new(pool(&mut bytes), 0, 12).unwrap();
    assert_eq!(keys.next(&mut buffer).unwrap(), Some(b"abc".as_slice()));
    assert_eq!(keys.next(&mut buffer).unwrap(), Some([].as_slice()));
    assert_eq!(keys.next(&mut buffer).unwrap(), None);
    assert!(PackedKeys::new(pool(&mut bytes), 12, 16).unwrap().next(&mut buffer).is_err());
    assert!(PackedKeys::new(pool(&mut bytes), 14, 16).unwrap().next(&mut buffer).is_err());
    assert!(PackedKeys::new(pool(&mut bytes), 0, 17).is_err());
    assert!(PackedKeys::new(pool(&mut bytes), 9, 8).is_err());
}

#[test]
fn packed_values_answer_as_many_as_fit() {
    let mut bytes = [0; 16];
    let mut values = PackedValues::new(pool(&mut bytes)).unwrap();
    assert!(values.put_missing() && values.put(b"abcde") && !values.put_missing());
    assert_eq!(values.finish(), 2);
    assert_eq!([u32_at(&bytes, 0), u32_at(&bytes, 4)], [u32::MAX, 5]);
    let mut values = PackedValues::new(pool(&mut bytes)).unwrap();
    assert!(!values.put(&[1; 13]));
    assert_eq!((values.finish(), u32_at(&bytes, 0)), (0, 20));
}
