//! A folder's tree, for comparison.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use ledgerstone_canonical_store::{GateEntry, Level, Owner, StoreHandle, testing::WriteSet};

/// Every file and folder below `root`, files with their bytes, links as text.
pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_path_buf();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                found.insert(name, None);
                folders.push(path);
            } else if kind.is_symlink() {
                found.insert(name, Some(fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()));
            } else {
                found.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
    }
    found
}

pub(crate) fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A durable commit with a key and an event; returns the error's code if it fails.
pub(crate) fn commit(store: &StoreHandle, key: &str) -> Result<u64, String> {
    let state = store.collection("state", "utf8", "json").unwrap();
    let writes = WriteSet::default().put(0, key.as_bytes(), b"1").event(key.as_bytes());
    let told = |error: ledgerstone_canonical_store::Error| format!("{} {error}", error.code());
    let done = store.commit(Owner::new(), GateEntry::Blind, writes.bytes(), &[state]).map_err(told)?;
    store.wait(Level::Durable, done.seq).map_err(told)?;
    Ok(done.seq)
}
