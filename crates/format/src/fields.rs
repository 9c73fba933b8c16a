//! The integers that the parsers read from a file: for tests that set each to its extremes. The parsers themselves report the
//! places, so a field that a format gains is tested without further work.

use std::{cell::RefCell, fmt, ops::Range, rc::Rc};

use crate::{FORMAT_VERSION, checksum::crc32c, sealed_record::unseal};

thread_local! {
    /// Address and length of each integer read, while a test records them.
    static READ: RefCell<Option<Vec<(usize, usize)>>> = const { RefCell::new(None) };
}

/// Records that an integer was read there.
pub(crate) fn note(bytes: &[u8]) {
    READ.with_borrow_mut(|read| {
        if let Some(read) = read {
            read.push((bytes.as_ptr().addr(), bytes.len()));
        }
    });
}

/// The ranges of the integers in `bytes` that `read` takes by a [`ByteReader`](crate::ByteReader), each once, in order.
pub fn integers_read<R>(bytes: &[u8], read: impl FnOnce(&[u8]) -> R) -> Vec<Range<usize>> {
    READ.set(Some(Vec::new()));
    drop(read(bytes));
    let (start, found) = (bytes.as_ptr().addr(), READ.take().unwrap_or_default());
    let place = |(at, len): (usize, usize)| Some(at.checked_sub(start)?..at.checked_sub(start)? + len);
    let mut places: Vec<_> = found.into_iter().filter_map(place).filter(|place| place.end <= bytes.len()).collect();
    places.sort_by_key(|place| (place.start, place.end));
    places.dedup();
    places
}

/// Recomputes the checksums over a field.
pub type Reseal = Rc<dyn Fn(&mut [u8])>;

/// An integer of a file, little endian, and how to make the checksums over it match a false value.
#[derive(Clone)]
pub struct FileField {
    /// Where it is.
    pub place: Range<usize>,
    /// The part of the file that it belongs to.
    pub part: &'static str,
    reseal: Reseal,
}

impl fmt::Debug for FileField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.part, self.place)
    }
}

impl FileField {
    /// The integers at `places`, all of one part under one set of checksums.
    pub fn of_part(part: &'static str, places: Vec<Range<usize>>, reseal: &Reseal) -> Vec<Self> {
        places.into_iter().map(|place| Self { place, part, reseal: Rc::clone(reseal) }).collect()
    }

    /// Its value in `file`.
    pub fn get(&self, file: &[u8]) -> u64 {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(file.get(self.place.clone()).unwrap_or_default()) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    }

    /// Sets it to `value` in `file`, whose checksums no longer match then.
    pub fn set(&self, file: &mut [u8], value: u64) {
        for (to, from) in file.get_mut(self.place.clone()).unwrap_or_default().iter_mut().zip(value.to_le_bytes()) {
            *to = from;
        }
    }

    /// Recomputes the checksums.
    pub fn reseal(&self, file: &mut [u8]) {
        (self.reseal)(file);
    }

    /// Values to try: its extremes, those of narrower and signed integers, those of `file`, and the neighbours of its value;
    /// never its value.
    pub fn extremes(&self, file: &[u8]) -> Vec<u64> {
        let (now, len) = (self.get(file), file.len() as u64);
        let max = u64::MAX >> (64 - 8 * self.place.len().clamp(1, 8));
        let edges = [1 << 15, 1 << 16, 1 << 30, 1 << 31, 1 << 32, 1 << 53, 1 << 63, len, len / 2, now, now & !7, max];
        let mut values: Vec<u64> = edges
            .into_iter()
            .flat_map(|edge: u64| [edge.wrapping_sub(8), edge.wrapping_sub(1), edge, edge.wrapping_add(1)])
            .chain([0, 1, 2, 8])
            .filter(|value| *value <= max && *value != now)
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// The integers of a record that [`seal`](crate::sealed_record::seal) made of an id and words: an identity or a clean mark.
pub fn record_fields(part: &'static str, record: &[u8]) -> Vec<FileField> {
    let seal_again: Reseal = Rc::new(|record| {
        if let Some((covered, crc)) = record.split_last_chunk_mut::<4>() {
            *crc = crc32c(covered).to_le_bytes();
        }
    });
    let places = integers_read(record, |record| {
        let magic = record.first_chunk().copied().unwrap_or_default();
        unseal(magic, FORMAT_VERSION, record, |fields| {
            fields.take(16)?;
            while fields.u64().is_some() {}
            Some(())
        })
    });
    FileField::of_part(part, places, &seal_again)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{FileField, Reseal, integers_read};
    use crate::ByteReader;

    #[test]
    fn integers_are_found_where_they_are_read() {
        let file = [1, 0, 9, 9, 2, 0, 0, 0, 3];
        let places = integers_read(&file, |bytes| {
            let mut reader = ByteReader::new(bytes);
            (reader.u16(), reader.take(2).map(<[u8]>::len), reader.u32(), ByteReader::new(bytes).u16(), reader.u64())
        });
        assert_eq!(places, [0..2, 4..8]);
        assert!(integers_read(&file, |_| ByteReader::new(&[7; 8]).u64()).is_empty(), "of other bytes");
    }

    #[test]
    fn a_field_takes_its_extremes() {
        let reseal: Reseal = Rc::new(|file| file[0] = 0xaa);
        let mut file = [0, 0, 0x34, 0x12, 0];
        let field = FileField::of_part("a part", vec![2..4, 0..1], &reseal).remove(0);
        assert_eq!(field.get(&file), 0x1234);
        let extremes = field.extremes(&file);
        for value in [0, 1, 0x1233, 0x1235, 0x7fff, 0x8000, 0xfffe, 0xffff, 4, 5, 6] {
            assert!(extremes.contains(&value), "{value}");
        }
        assert!(extremes.iter().all(|value| *value <= 0xffff && *value != 0x1234));
        field.set(&mut file, 0xfffe);
        field.reseal(&mut file);
        assert_eq!(file, [0xaa, 0, 0xfe, 0xff, 0]);
    }
}
