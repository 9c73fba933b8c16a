//! A Bloom filter, which answers "certainly not here" without the index. Blocked: all bits of a key are in one cache line. One
//! writer, any number of readers; a bit is set, with Release, before its entry is visible.

use std::{
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::cache_line::fetch;

const WORDS_PER_BLOCK: usize = 8;

#[derive(Debug)]
pub(super) struct Bloom {
    blocks: Vec<[AtomicU64; WORDS_PER_BLOCK]>,
}

impl Bloom {
    /// Sized for a delta of `delta_bytes`: about ten bits for an entry of 128 bytes, 4 KiB to 8 MiB in all.
    pub(super) fn for_delta(delta_bytes: u64) -> Self {
        let bytes = (delta_bytes / 100).clamp(4 << 10, 8 << 20).next_power_of_two();
        let blocks = usize::try_from(bytes / 64).unwrap_or(64);
        Self { blocks: (0..blocks).map(|_| Default::default()).collect() }
    }

    fn block(&self, hash: u64) -> Option<&[AtomicU64; WORDS_PER_BLOCK]> {
        let index = usize::try_from(hash >> 36).unwrap_or(0) & (self.blocks.len() - 1);
        self.blocks.get(index)
    }

    /// Four bits, each from nine bits of the hash: a word of the block and a bit in the word.
    fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
        (0..4).map(move |turn| {
            let nine = (hash >> (turn * 9)) & 0x1ff;
            (usize::try_from(nine >> 6).unwrap_or(0), 1 << (nine & 63))
        })
    }

    /// Prefetches for a key with this hash that is about to be inserted.
    pub(super) fn expect(&self, hash: u64) {
        if let Some(block) = self.block(hash) {
            fetch(ptr::from_ref(block).addr());
        }
    }

    pub(super) fn insert(&self, hash: u64) {
        let Some(block) = self.block(hash) else { return };
        for (word, bit) in Self::bits(hash) {
            if let Some(word) = block.get(word) {
                // One writer: it is not changed in between, and a locked instruction costs more than all the rest.
                word.store(word.load(Ordering::Relaxed) | bit, Ordering::Release);
            }
        }
    }

    pub(super) fn may_contain(&self, hash: u64) -> bool {
        let Some(block) = self.block(hash) else { return true };
        Self::bits(hash).all(|(word, bit)| block.get(word).is_none_or(|word| word.load(Ordering::Acquire) & bit != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::Bloom;
    use crate::delta::hash_parts;

    #[test]
    fn never_denies_what_is_there_and_mostly_denies_what_is_not() {
        let bloom = Bloom::for_delta(1 << 20);
        for key in 0u32..5_000 {
            bloom.insert(hash_parts(1, &key.to_be_bytes()));
        }
        assert!((0u32..5_000).all(|key| bloom.may_contain(hash_parts(1, &key.to_be_bytes()))));
        let wrong = (5_000u32..105_000).filter(|key| bloom.may_contain(hash_parts(1, &key.to_be_bytes()))).count();
        assert!(wrong < 5_000, "{wrong} of 100000 keys that are not there were not denied");
    }
}
