//! Allocations of a size that a file or a user decides. A failed one must not end the process.

/// A copy of `bytes`; `None` when there is no memory for it.
pub fn copied(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).ok()?;
    copy.extend_from_slice(bytes);
    Some(copy)
}

/// `len` zeros; `None` when there is no memory for them.
pub fn zeroed(len: usize) -> Option<Vec<u8>> {
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(len).ok()?;
    zeros.resize(len, 0);
    Some(zeros)
}

#[cfg(test)]
mod tests {
    use super::{copied, zeroed};

    #[test]
    fn what_cannot_be_had_is_none() {
        assert_eq!((copied(b"abc"), zeroed(3)), (Some(b"abc".to_vec()), Some(vec![0; 3])));
        assert_eq!(zeroed(usize::MAX), None);
        assert_eq!(zeroed(isize::MAX as usize), None);
    }
}
