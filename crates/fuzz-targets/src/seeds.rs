//! Inputs to begin with that are no files: random choices, which the targets take as they come.

/// A generator of random numbers; the same seed gives the same ones.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.to_be_bytes()[0]
    }
}

/// Choices of several lengths.
pub(crate) fn structured() -> Vec<Vec<u8>> {
    (1..=8).map(|seed| noise(seed, 16 << seed.min(6))).collect()
}

/// Bytes that no compression makes shorter.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..len).map(|_| random.byte()).collect()
}
