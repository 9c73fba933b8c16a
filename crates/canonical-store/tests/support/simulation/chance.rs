//! The simulation's only source of randomness: one seed gives one history.

#[derive(Debug)]
pub(crate) struct Chance(u64);

/// Bytes at the edges of an ordering.
const EDGES: [u8; 5] = [0x00, 0x01, b'a', 0xfe, 0xff];

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    /// A key of a small alphabet: short, with edge values, sometimes after a long shared prefix.
    pub(crate) fn key(&mut self) -> Vec<u8> {
        let mut key = if self.one_in(4) { b"a shared prefix\x00\xff".to_vec() } else { Vec::new() };
        for _ in 0..=self.below(3) {
            key.push(*self.pick(&EDGES));
        }
        key
    }

    pub(crate) fn filler(&mut self, len: u64) -> Vec<u8> {
        let byte = u8::try_from(self.below(256)).unwrap();
        vec![byte; usize::try_from(len).unwrap()]
    }
}
