//! A file system that other machines share is refused before anything is made there, unless the caller allows it.

use std::path::Path;

use ledgerstone_canonical_store::{Detail, OpenOptions, testing};
use ledgerstone_vfs::{
    FileSystem,
    sim::{SimClock, SimDisk},
};

fn shared_disk() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.set_file_system(FileSystem::Network { kind: "nfs4".to_owned() });
    disk
}

#[test]
fn a_network_file_system_is_refused_with_path_and_type_and_nothing_is_made() {
    let (disk, path) = (shared_disk(), Path::new("/far/away/store"));
    let error = testing::open_simulated(&disk, &SimClock::new(1_000), path, &OpenOptions::default()).unwrap_err();
    assert_eq!(error.code(), "ERR_FILE_SYSTEM");
    let text = |value: &str| Detail::Text(value.to_owned());
    assert_eq!(error.details(), vec![("path", text("/far/away/store")), ("type", text("nfs4"))]);
    assert_eq!((disk.operations(), disk.list()), (0, Vec::new()));
}

#[test]
fn an_existing_store_there_is_not_locked_either() {
    let (disk, clock, path) = (SimDisk::new(1), SimClock::new(1_000), Path::new("/store"));
    let store = testing::open_simulated(&disk, &clock, path, &OpenOptions::default()).unwrap();
    testing::close_stepped(&store).unwrap();
    drop(store);
    disk.set_file_system(FileSystem::Network { kind: "cifs".to_owned() });
    let (operations, files) = (disk.operations(), disk.list());
    for create in [true, false] {
        let options = OpenOptions { create, ..OpenOptions::default() };
        let error = testing::open_simulated(&disk, &clock, path, &options).unwrap_err();
        assert_eq!(error.code(), "ERR_FILE_SYSTEM");
    }
    assert_eq!((disk.operations(), disk.list()), (operations, files));
}

#[test]
fn it_is_used_when_it_was_allowed() {
    let (disk, clock) = (shared_disk(), SimClock::new(1_000));
    let options = OpenOptions { allow_network_file_system: Some(true), ..OpenOptions::default() };
    let store = testing::open_simulated(&disk, &clock, Path::new("/store"), &options).unwrap();
    testing::close_stepped(&store).unwrap();
}
