//! LMDB's file: the walk that verifies it, the look before LMDB maps it, and our own search in its pages.

use std::{path::Path, sync::OnceLock};

use ledgerstone_canonical_store::{
    GateEntry, Level, OpenOptions, Owner, Report,
    testing::{
        WriteSet, check_state_file, close_stepped, open_stepped, reseal_pages, search_pages, step_flusher,
        verify_state_file,
    },
};
use ledgerstone_vfs::{OpenHow, OsVfs, Vfs, sim::SimDisk};

use crate::{
    bounds::{check_refusal, in_memory_of},
    input::{Input, RESEALED, encode},
};

const FILE: &str = "/data.mdb";
const PAGE: usize = 4_096;
/// How often over a page may be read: it can stand in every place of a tree, and the walk has a bound on that.
const TIMES_READ: u64 = 20;

/// A file of pages.
pub(crate) fn file(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut file = input.last_file();
    if input.is(RESEALED) {
        reseal_pages(&mut file);
    }
    in_memory_of(bytes.len(), 0, || {
        let disk = SimDisk::new(1);
        disk.write_file(FILE, &file);
        let report = verify_state_file(&disk, Path::new(FILE)).unwrap();
        assert!(report.problems.len() <= Report::MAX_PROBLEMS);
        assert!(report.checked.bytes <= TIMES_READ * (file.len() as u64 + 1), "{:?}", report.checked);
        match check_state_file(&disk, Path::new(FILE)) {
            Ok(()) => {}
            Err(error) => {
                check_refusal(error.code(), &error, &[]);
                assert!(!report.is_ok(), "what an opening refuses is damage");
            }
        }
        let keys: [&[u8]; 5] = [b"meta", &[0, 0, 0, 1, b'k', 0, 3], &[0, 0, 0, 2], b"", &[0xff; 40]];
        for root in 0..(file.len() / PAGE).min(8) as u64 {
            for depth in [0, 1, 2, 40] {
                let found = search_pages(&file, root, depth, &keys);
                assert!(found.into_iter().flatten().all(|value| value.len() <= PAGE));
            }
        }
    });
}

/// Files of stores with small trees, a larger one, and values on overflow pages.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    static SEEDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SEEDS.get_or_init(|| [1, 2, 4, 60].into_iter().flat_map(seed).collect()).clone()
}

#[allow(clippy::disallowed_methods, reason = "a folder of its own")]
fn seed(keys: u8) -> [Vec<u8>; 2] {
    let dir = std::env::temp_dir().join(format!("ledgerstone-fuzz-pages-{keys}-{}", std::process::id()));
    let options = OpenOptions { map_size_bytes: Some(1 << 20), ..OpenOptions::default() };
    let store = open_stepped(&dir, &options).unwrap();
    let slots = ["state", "others"].map(|name| store.collection(name, "utf8", "json").unwrap());
    for round in 0..2 {
        let mut set = WriteSet::default();
        for n in 0..keys {
            set = set.put(u32::from(n % 2), &[b'k', round, n], &vec![n; if n == 3 { 5_000 } else { 100 }]);
        }
        store.commit(Owner::new(), GateEntry::Blind, set.bytes(), &slots).unwrap();
        store.want(Level::Flushed, store.marks().applied);
        step_flusher(&store);
    }
    close_stepped(&store).unwrap();
    drop(store);
    let state = OsVfs.open(&dir.join("state/data.mdb"), OpenHow::Read).unwrap();
    let mut file = vec![0; usize::try_from(state.len().unwrap()).unwrap()];
    state.read_full_at(&mut file, 0).unwrap();
    let _ = std::fs::remove_dir_all(&dir);
    [0, RESEALED].map(|how| encode(how, &[&file]))
}
