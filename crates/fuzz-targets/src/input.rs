//! How a target's bytes are read that are several files: `how u8`, then each file behind its length as u32, the last one without.

/// The checksums are made right before the files are read, so that what is behind them is tried too.
pub(crate) const RESEALED: u8 = 1;
/// Where checksums are chained: that too.
pub(crate) const CHAINED: u8 = 2;

/// What is to be tried.
pub(crate) struct Input<'i> {
    how: u8,
    rest: &'i [u8],
}

impl<'i> Input<'i> {
    pub(crate) fn new(bytes: &'i [u8]) -> Self {
        let (how, rest) = bytes.split_first().map_or((0, bytes), |(how, rest)| (*how, rest));
        Self { how, rest }
    }

    pub(crate) fn is(&self, how: u8) -> bool {
        self.how & how != 0
    }

    /// The next of several files; empty when there is none.
    pub(crate) fn next_file(&mut self) -> Vec<u8> {
        let Some((len, rest)) = self.rest.split_first_chunk::<4>() else { return self.last_file() };
        let (file, rest) = rest.split_at((u32::from_le_bytes(*len) as usize).min(rest.len()));
        self.rest = rest;
        file.to_vec()
    }

    /// What is left.
    pub(crate) fn last_file(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest).to_vec()
    }
}

/// The bytes of an input.
pub(crate) fn encode(how: u8, files: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![how];
    let (last, others) = files.split_last().unwrap();
    for file in others {
        bytes.extend_from_slice(&u32::try_from(file.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(file);
    }
    bytes.extend_from_slice(last);
    bytes
}
