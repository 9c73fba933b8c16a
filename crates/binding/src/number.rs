//! The numbers that cross: JavaScript has doubles, in which integers up to 2^53 - 1 are exact.

/// The largest integer that a JavaScript number holds without a gap below it.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// `number` as an integer from 0 to 2^53 - 1, if it is one.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "the cast saturates, and the comparison back refuses all that is no safe integer"
)]
pub(crate) fn safe_integer(number: f64) -> Option<u64> {
    let integer = number as u64;
    (integer <= MAX_SAFE_INTEGER && integer as f64 == number).then_some(integer)
}

/// `value`, up to 2^53 - 1, for JavaScript.
#[allow(clippy::cast_precision_loss, reason = "seqs, ids and sizes are safe integers")]
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::safe_integer;

    #[test]
    fn integers_are_safe_or_refused() {
        assert_eq!(safe_integer(9_007_199_254_740_991.0), Some(9_007_199_254_740_991));
        assert_eq!([1e300, -1.0, 1.5].map(safe_integer), [None; 3]);
        assert_eq!(safe_integer(-0.0), Some(0));
    }
}
