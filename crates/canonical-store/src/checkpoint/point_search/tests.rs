//! Compares the search with LMDB, over trees of any depth and over modified pages.

use std::{collections::BTreeMap, env::temp_dir, path::PathBuf};

use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, types::Bytes};

use super::{
    super::{
        Place,
        group_search::locate,
        mapped_tree::{MappedTree, PAGE_BYTES, Page},
    },
    Search, find, find_at,
};

type Bytewise = Database<'static, Bytes, Bytes>;

/// A separate LMDB in a separate folder.
struct Rig {
    dir: PathBuf,
    env: Env,
    names: Bytewise,
    tree: Bytewise,
}

impl Rig {
    #[allow(unsafe_code, clippy::disallowed_methods, reason = "nobody else knows the folder")]
    fn new(name: &str) -> Self {
        let dir = temp_dir().join(format!("ledgerstone-point-search-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        // SAFETY: as the reason says.
        let env = unsafe { EnvOpenOptions::new().max_dbs(1).map_size(64 << 20).open(&dir) }.unwrap();
        let opened = env.create_databases_and_commit(env.write_txn().unwrap(), |opener, transaction| {
            let names = opener.create_database::<Bytes, Bytes>(transaction, None)?;
            let tree = opener.create_database::<Bytes, Bytes>(transaction, Some("tree"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((names, tree)))
        });
        let CommitOrAbort::Commit((names, tree)) = opened.unwrap() else { unreachable!() };
        Self { dir, env, names, tree }
    }

    fn put(&self, entries: &BTreeMap<Vec<u8>, Vec<u8>>) {
        let mut write = self.env.write_txn().unwrap();
        for (key, value) in entries {
            self.tree.put(&mut write, key, value).unwrap();
        }
        write.commit().unwrap();
    }

    /// Calls `look` with the search, which lasts as long as the call.
    #[allow(unsafe_code, reason = "the record is where LMDB has it")]
    fn search<R>(&self, look: impl FnOnce(&MappedTree) -> R) -> R {
        let read = self.env.read_txn().unwrap();
        let record = self.names.get(&read, b"tree").unwrap().unwrap();
        let pages = self.env.info().last_page_number as u64 + 1;
        // SAFETY: the transaction ends after the call.
        assert!(unsafe { MappedTree::new(record, 2 * PAGE_BYTES, pages) }.is_none());
        // SAFETY: the same.
        look(&unsafe { MappedTree::new(record, PAGE_BYTES, pages) }.unwrap())
    }
}

impl Drop for Rig {
    #[allow(clippy::disallowed_methods, reason = "a folder of its own")]
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Keys of 1 to 63 bytes with long common prefixes, values of up to 500 bytes, and a few values of several pages.
fn entries(count: u32) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let entry = |n: u32| {
        let mixed = n.wrapping_mul(0x9e37_79b1);
        let len = 1 + (mixed >> 26) as usize;
        let key: Vec<u8> = [[0, 0, 0, 7].as_slice(), &mixed.to_be_bytes(), &[b'k'; 56]].concat();
        let value_len = if n.is_multiple_of(997) { 9000 } else { (mixed % 500) as usize };
        (key[..len].to_vec(), vec![n.to_le_bytes()[0]; value_len])
    };
    (0..count).map(entry).collect()
}

#[test]
fn it_finds_what_lmdb_finds_and_nothing_else() {
    let rig = Rig::new("found");
    assert!(rig.search(|search| find(search, b"key") == Search::Missing), "an empty tree");
    for count in [1, 300, 20_000] {
        let entries = entries(count);
        rig.put(&entries);
        rig.search(|search| {
            let depth = if count == 1 { 1 } else { 2 };
            assert!(search.depth >= depth + u16::from(count == 20_000), "{count}: {}", search.depth);
            for (key, value) in &entries {
                let expected = if value.len() > PAGE_BYTES { Search::Unknown } else { Search::Found(value) };
                assert_eq!(find(search, key), expected);
                // The nearest keys on either side, which may exist too.
                let mut above = key.clone();
                above.push(0);
                let (last, head) = key.split_last().unwrap();
                let below = [head, &[last.wrapping_sub(1)], &[0xff; 20]].concat();
                for key in [above, below] {
                    assert_eq!(find(search, &key) == Search::Missing, !entries.contains_key(&key));
                }
            }
        });
    }
}

#[test]
fn keys_looked_up_together_are_where_each_is_found() {
    let rig = Rig::new("together");
    let places_of = |tree: &MappedTree, keys: &[&[u8]]| {
        let mut places = vec![None; keys.len()];
        locate(tree, keys, &mut places);
        places
    };
    rig.search(|tree| assert_eq!(places_of(tree, &[b"key"]), [None], "an empty tree"));
    for count in [1, 300, 20_000] {
        let entries = entries(count);
        rig.put(&entries);
        rig.search(|tree| {
            let keys: Vec<&[u8]> = entries.keys().map(Vec::as_slice).collect();
            let places = places_of(tree, &keys);
            for (key, place) in keys.iter().zip(&places) {
                let expected = match find(tree, key) {
                    Search::Found(value) => Some(value),
                    Search::Missing | Search::Unknown => None,
                };
                assert_eq!(find_at(tree, key, place.unwrap()), expected, "{key:?}");
            }
            let missing: Vec<_> = keys.iter().map(|key| [*key, &[0]].concat()).collect();
            let missing: Vec<_> = missing.iter().filter(|key| !entries.contains_key(*key)).map(Vec::as_slice).collect();
            assert!(places_of(tree, &missing).iter().all(Option::is_none));
            // The place of another key gives no answer, nor does one that does not exist.
            let first = places[0].unwrap();
            let others = [Place { node: 9999, ..first }, Place { page: tree.pages, ..first }];
            assert!(others.iter().all(|place| find_at(tree, keys[0], *place).is_none()));
            assert!(keys[1..].iter().all(|key| find_at(tree, key, first).is_none()));
        });
    }
}

#[test]
fn it_ends_with_pages_of_any_content() {
    let rig = Rig::new("any");
    let entries = entries(2000);
    rig.put(&entries);
    #[allow(clippy::disallowed_methods, reason = "a copy of the file")]
    let file = std::fs::read(rig.dir.join("data.mdb")).unwrap();
    // Aligned to pages, as in a map.
    let mut room = vec![0_u8; file.len() + PAGE_BYTES];
    let start = room.as_ptr().align_offset(PAGE_BYTES);
    let map = &mut room[start..start + file.len()];
    let (top, depth) = rig.search(|search| (search.root, search.depth));
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    let mut outcomes = [0_u32; 3];
    for round in 0..400 {
        map.copy_from_slice(&file);
        for _ in 0..=round % 40 {
            let page = next(map.len() / PAGE_BYTES) * PAGE_BYTES;
            // Most often where it matters: in the header and the offsets.
            let at = page + if next(4) == 0 { next(PAGE_BYTES) } else { next(100) };
            map[at] = next(256).to_le_bytes()[0];
        }
        let pages = (map.len() / PAGE_BYTES) as u64;
        let search = MappedTree { base: map.as_ptr().expose_provenance(), pages, root: top, depth };
        let keys: Vec<&[u8]> = entries.keys().step_by(7).map(Vec::as_slice).collect();
        let mut places = vec![None; keys.len()];
        locate(&search, &keys, &mut places);
        for (key, place) in keys.into_iter().zip(places) {
            let at_place = place.and_then(|place| find_at(&search, key, place));
            assert!(at_place.is_none_or(|value| value.len() <= size_of::<Page>()));
            outcomes[match find(&search, key) {
                Search::Found(value) => usize::from(value.len() > size_of::<Page>()),
                Search::Missing | Search::Unknown => 2,
            }] += 1;
        }
    }
    let [found, too_long, not_found] = outcomes;
    assert!(found > 0 && not_found > 0 && too_long == 0, "{outcomes:?}");
}
