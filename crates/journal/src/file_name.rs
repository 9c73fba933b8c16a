//! The names of journal files: `journal-<number:020>.wal`, and two names for files in the making.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

/// A spare in the making is beside this name: `journal-spare.tmp`.
pub(crate) const UNFINISHED_SPARE: &str = "journal-spare";
/// The file into which recovery copies the tail is made beside this name: `journal-tail.tmp`.
pub(crate) const UNFINISHED_TAIL: &str = "journal-tail";

/// Numbers at or above this are invalid, so that there is always a next one.
pub(crate) const NUMBER_END: u64 = 1 << 63;

pub(crate) fn journal_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("journal-{number:020}.wal"))
}

/// The number in a journal file's name; `None` for any other name.
pub(crate) fn number_of(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix("journal-")?.strip_suffix(".wal")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|number| (1..NUMBER_END).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_have_a_number() {
        let path = journal_path(Path::new("d"), 42);
        assert_eq!(path.to_str(), Some("d/journal-00000000000000000042.wal"));
        assert_eq!(path.file_name().and_then(number_of), Some(42));
        for foreign in [
            "journal-42.wal",
            "journal-00000000000000000000.wal",
            "journal-+0000000000000000042.wal",
            "journal-99999999999999999999.wal",
            "journal-18446744073709551615.wal",
            "journal-00000000000000000042.wal.tmp",
            "journal-spare.tmp",
            "journal-tail.tmp",
        ] {
            assert_eq!(number_of(OsStr::new(foreign)), None, "{foreign}");
        }
    }
}
