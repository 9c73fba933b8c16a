//! How zeros after some bytes change their checksum: multiplication by a power of x modulo the polynomial. With it the checksum
//! of a part follows from those of two prefixes.

/// The polynomial of CRC-32C, its lowest coefficient in the highest bit.
const POLYNOMIAL: u32 = 0x82F6_3B78;
const ONE: u32 = 1 << 31;

/// `left * right` modulo the polynomial.
const fn multiply(left: u32, mut right: u32) -> u32 {
    let (mut product, mut bit) = (0, ONE);
    while bit != 0 {
        if left & bit != 0 {
            product ^= right;
        }
        right = if right & 1 == 1 { (right >> 1) ^ POLYNOMIAL } else { right >> 1 };
        bit >>= 1;
    }
    product
}

/// For each byte of a length, the factors for its 256 values.
static FACTORS: [[u32; 256]; 4] = {
    // x^8: a byte of zeros.
    let mut step = ONE >> 8;
    let mut factors = [[ONE; 256]; 4];
    let mut place = 0;
    while place < 4 {
        let mut value = 1;
        while value < 256 {
            #[allow(clippy::indexing_slicing, reason = "computed by the compiler")]
            {
                factors[place][value] = multiply(factors[place][value - 1], step);
            }
            value += 1;
        }
        #[allow(clippy::indexing_slicing, reason = "computed by the compiler")]
        {
            step = multiply(factors[place][255], step);
        }
        place += 1;
    }
    factors
};

/// The checksum state `state` (not inverted) after `len` bytes of zeros.
pub(super) fn shift(state: u32, len: u32) -> u32 {
    let mut shifted = state;
    for (factors, byte) in FACTORS.iter().zip(len.to_le_bytes()) {
        if byte != 0 {
            shifted = multiply(shifted, factors.get(usize::from(byte)).copied().unwrap_or(ONE));
        }
    }
    shifted
}

#[cfg(test)]
mod tests {
    use super::shift;
    use crate::checksum::crc32c_append;

    #[test]
    fn shifting_is_appending_zeros() {
        for len in [0_u32, 1, 7, 8, 255, 256, 65_535, 65_536, 16_777_300] {
            for state in [0, 1, 0x8000_0000, 0xdead_beef] {
                assert_eq!(!shift(state, len), crc32c_append(!state, &vec![0; len as usize]), "{state:x} {len}");
            }
        }
    }
}
