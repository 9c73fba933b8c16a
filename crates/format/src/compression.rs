//! Bounded compression, for frames, blocks and backups. The output is never longer than the input, and decompression never
//! exceeds the length that the caller has recorded and is ready to hold.
//!
//! Knows no format: the caller stores the kind and the raw length, and covers the bytes by a checksum.

use std::cell::RefCell;

use crate::memory::{copied, zeroed};
use zstd::bulk::{Compressor, Decompressor};

/// How bytes are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Uncompressed.
    #[default]
    None,
    /// LZ4 block format: cheap in both directions.
    Lz4,
    /// Zstandard at a low level: smaller, several times slower to compress.
    Zstd,
}

/// Above this level compressing a frame takes longer than writing it.
const ZSTD_LEVEL: i32 = 1;
/// One byte of LZ4 expands to at most this many.
const LZ4_MAX_RATIO: u64 = 255;

impl Compression {
    /// The number that formats store.
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
        }
    }

    /// The kind that a format's number stands for.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Lz4),
            2 => Some(Self::Zstd),
            _ => None,
        }
    }
}

thread_local! {
    // A context takes some hundred kilobytes and costs more to create than a frame costs to compress.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends the compressed form of `raw` to `out` if that is shorter. Otherwise, and when there is no memory to try, returns
/// `false` and leaves `out` as it was.
pub fn compress(kind: Compression, raw: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let written = match kind {
        Compression::None => None,
        Compression::Lz4 => compress_lz4(raw, out, start),
        Compression::Zstd => compress_zstd(raw, out, start),
    };
    let len = written.filter(|len| *len < raw.len());
    out.truncate(start.saturating_add(len.unwrap_or_default()));
    len.is_some()
}

fn compress_lz4(raw: &[u8], out: &mut Vec<u8>, start: usize) -> Option<usize> {
    let room = lz4_flex::block::get_maximum_output_size(raw.len());
    out.try_reserve(room).ok()?;
    out.resize(start.checked_add(room)?, 0);
    lz4_flex::block::compress_into(raw, out.get_mut(start..)?).ok()
}

fn compress_zstd(raw: &[u8], out: &mut Vec<u8>, start: usize) -> Option<usize> {
    // With less room than the raw bytes take, compression stops as soon as it gains nothing.
    let room = raw.len().checked_sub(1)?;
    out.try_reserve(room).ok()?;
    out.resize(start.checked_add(room)?, 0);
    let target = out.get_mut(start..)?;
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Compressor::new(ZSTD_LEVEL).ok();
        }
        slot.as_mut()?.compress_to_buffer(raw, target).ok()
    })
}

/// Why decompression failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecompressed {
    /// The bytes are not what the caller said.
    Wrong,
    /// There is no memory for the decompressed bytes.
    NoMemory,
}

/// Decompresses `stored` to exactly `raw_len` bytes, which may be at most `max`. Allocates `raw_len` bytes and no more,
/// whatever `stored` says.
pub fn decompress_bounded(
    kind: Compression,
    stored: &[u8],
    raw_len: usize,
    max: usize,
) -> Result<Vec<u8>, Undecompressed> {
    if raw_len > max || !can_become(kind, stored, raw_len) {
        return Err(Undecompressed::Wrong);
    }
    if kind == Compression::None {
        return copied(stored).ok_or(Undecompressed::NoMemory);
    }
    let mut raw = zeroed(raw_len).ok_or(Undecompressed::NoMemory)?;
    let len = match kind {
        Compression::None | Compression::Lz4 => lz4_flex::block::decompress_into(stored, &mut raw).ok(),
        Compression::Zstd => DECOMPRESSOR.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = Decompressor::new().ok();
            }
            slot.as_mut()?.decompress_to_buffer(stored, &mut raw[..]).ok()
        }),
    };
    if len == Some(raw_len) { Ok(raw) } else { Err(Undecompressed::Wrong) }
}

/// What can be checked before memory is allocated.
fn can_become(kind: Compression, stored: &[u8], raw_len: usize) -> bool {
    match kind {
        Compression::None => stored.len() == raw_len,
        Compression::Lz4 => raw_len as u64 <= (stored.len() as u64).saturating_mul(LZ4_MAX_RATIO),
        Compression::Zstd => Decompressor::upper_bound(stored).is_none_or(|bound| bound >= raw_len),
    }
}

#[cfg(test)]
mod tests {
    use super::{Compression, Undecompressed::Wrong, compress, decompress_bounded};

    const KINDS: [Compression; 2] = [Compression::Lz4, Compression::Zstd];

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn what_shrinks_comes_back_and_what_does_not_is_left_alone() {
        for kind in KINDS {
            for len in [0, 1, 12, 13, 100, 5_000, 70_000, 1 << 20] {
                let text: Vec<u8> = b"order:0001 paid ".iter().copied().cycle().take(len).collect();
                let mut out = vec![9];
                let smaller = compress(kind, &text, &mut out);
                assert_eq!(smaller, len >= 100, "{kind:?} {len}");
                assert!(out[0] == 9 && out.len() <= len.max(1), "{kind:?} {len}");
                if smaller {
                    assert_eq!(decompress_bounded(kind, &out[1..], len, len).as_ref(), Ok(&text));
                }
                let mut out = vec![9];
                assert!(!compress(kind, &noise(len), &mut out) && out == [9], "{kind:?} {len}");
            }
        }
        assert!(!compress(Compression::None, &[0; 100], &mut Vec::new()));
    }

    #[test]
    fn nothing_comes_out_but_exactly_what_was_promised() {
        let raw: Vec<u8> = (0_u8..50).cycle().take(10_000).collect();
        for kind in KINDS {
            let mut stored = Vec::new();
            assert!(compress(kind, &raw, &mut stored));
            assert_eq!(decompress_bounded(kind, &stored, raw.len(), raw.len() - 1), Err(Wrong), "over the cap");
            for wrong in [0, raw.len() - 1, raw.len() + 1, 1 << 30] {
                assert_eq!(decompress_bounded(kind, &stored, wrong, usize::MAX), Err(Wrong), "{kind:?} {wrong}");
            }
            for len in 0..stored.len() {
                assert_eq!(
                    decompress_bounded(kind, &stored[..len], raw.len(), raw.len()),
                    Err(Wrong),
                    "{kind:?} cut at {len}"
                );
            }
            for bit in 0..stored.len() * 8 {
                stored[bit / 8] ^= 1 << (bit % 8);
                // LZ4 notices only structural errors: the checksum is the caller's.
                let found = decompress_bounded(kind, &stored, raw.len(), raw.len());
                assert!(found.ok().is_none_or(|found| found.len() == raw.len()), "{kind:?} bit {bit}");
                stored[bit / 8] ^= 1 << (bit % 8);
            }
        }
        assert_eq!(decompress_bounded(Compression::None, b"abc", 3, 3), Ok(b"abc".to_vec()));
        assert_eq!(decompress_bounded(Compression::None, b"abc", 2, 3), Err(Wrong));
    }

    #[test]
    fn numbers_are_read_back() {
        for number in 0..=u8::MAX {
            let kind = Compression::from_number(number);
            assert_eq!(kind.map(Compression::number), (number <= 2).then_some(number));
        }
    }
}
