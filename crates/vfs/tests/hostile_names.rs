//! What a real disk may have in place of a file: links, queues, sockets, other folders.
//!
//! Bug: files were opened by path without a check, so a link was followed and its target emptied, a FIFO waited for its other
//! end for ever, and a store whose folder was renamed wrote into the one that replaced it. Mechanism: `open(2)` without
//! `O_NOFOLLOW` and `O_NONBLOCK`, paths resolved anew by each call. Fix: one place opens every name, relative to the folder
//! that is held open, and checks what it got.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

mod support;

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    process::Command,
    sync::Arc,
};

use ledgerstone_vfs::{OpenHow, OsVfs, Vfs, VfsFile};
use support::TempFolder;

fn anchored(folder: &Path) -> Arc<dyn Vfs> {
    OsVfs.anchored(folder).unwrap().unwrap()
}

#[test]
fn nothing_but_a_regular_file_is_opened_and_nobody_is_waited_for() {
    let folder = TempFolder::new("kinds");
    let path = |name: &str| folder.0.join(name);
    fs::write(path("target"), "precious").unwrap();
    symlink(path("target"), path("link")).unwrap();
    symlink(path("missing"), path("dangling")).unwrap();
    symlink(path("circle"), path("circle")).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
    let _listener = UnixListener::bind(path("socket")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    let kinds = [
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("circle", "a symbolic link"),
        ("fifo", "a FIFO"),
        ("socket", "a socket"),
        ("folder", "a folder"),
    ];
    for vfs in [&OsVfs as &dyn Vfs, &*anchored(&folder.0)] {
        for (name, kind) in kinds {
            let outcomes = [
                vfs.open(&path(name), OpenHow::Read).map(drop),
                vfs.open(&path(name), OpenHow::ReadWrite).map(drop),
                vfs.try_lock(&path(name)).map(drop),
            ];
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                assert_eq!(error.as_foreign(), Some((kind, "a regular file")), "{name}: {error}");
                assert_eq!(error.path, path(name));
            }
            assert!(vfs.open(&path(name), OpenHow::CreateNew).is_err(), "{name}");
            assert!(vfs.exists(&path(name)).unwrap(), "{name}");
        }
    }
    assert_eq!(fs::read(path("target")).unwrap(), b"precious");
    assert!(!path("missing").exists());
}

#[test]
fn links_lead_to_a_folder_and_not_below_it() {
    let folder = TempFolder::new("links");
    let (real, outside) = (folder.0.join("real"), folder.0.join("outside"));
    fs::create_dir(&real).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a"), "precious").unwrap();
    symlink(&real, folder.0.join("link")).unwrap();
    symlink(&outside, real.join("state")).unwrap();
    let (vfs, root) = (anchored(&folder.0.join("link")), folder.0.join("link"));
    vfs.open(&root.join("b"), OpenHow::CreateNew).unwrap();
    assert!(real.join("b").exists());
    let state = root.join("state");
    let outcomes = [
        vfs.open(&state.join("a"), OpenHow::Read).map(drop),
        vfs.open(&state.join("c"), OpenHow::CreateNew).map(drop),
        vfs.read_dir(&state).map(drop),
        vfs.create_dir_all(&state).map(drop),
        vfs.create_dir_all(&state.join("d")).map(drop),
        vfs.remove_file(&state.join("a")),
        vfs.rename(&state.join("a"), &root.join("a")),
        vfs.sync_dir(&state),
    ];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let error = outcome.unwrap_err();
        assert_eq!(error.as_foreign(), Some(("a symbolic link", "a folder")), "call {number}: {error}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(vfs.open(&root.join("../outside/a"), OpenHow::Read).is_err(), "no way up");
}

#[test]
fn what_is_made_is_the_owners_alone() {
    let folder = TempFolder::new("modes");
    let vfs = anchored(&folder.0);
    vfs.create_dir_all(&folder.0.join("x/y")).unwrap();
    vfs.open(&folder.0.join("x/y/a"), OpenHow::CreateNew).unwrap();
    drop(vfs.try_lock(&folder.0.join("LOCK")).unwrap());
    OsVfs.create_dir_all(&folder.0.join("v/w")).unwrap();
    OsVfs.open(&folder.0.join("v/w/a"), OpenHow::CreateNew).unwrap();
    for (name, mode) in [
        ("x", 0o700),
        ("x/y", 0o700),
        ("x/y/a", 0o600),
        ("LOCK", 0o600),
        ("v", 0o700),
        ("v/w", 0o700),
        ("v/w/a", 0o600),
    ] {
        let found = fs::metadata(folder.0.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}: {found:o}");
    }
}

#[test]
fn a_folder_that_was_renamed_is_still_the_one_that_is_written_to() {
    let folder = TempFolder::new("moved");
    let (path, elsewhere) = (folder.0.join("store"), folder.0.join("elsewhere"));
    fs::create_dir(&path).unwrap();
    let vfs = anchored(&path);
    vfs.create_dir_all(&path.join("sub")).unwrap();
    vfs.open(&path.join("sub/a"), OpenHow::CreateNew).unwrap();
    vfs.check_in_place().unwrap();
    fs::rename(&path, &elsewhere).unwrap();
    assert!(vfs.check_in_place().is_err());
    fs::create_dir_all(path.join("sub")).unwrap();
    fs::write(path.join("sub/a"), "of another store").unwrap();
    assert!(vfs.check_in_place().is_err());
    let made: Arc<dyn VfsFile> = vfs.open(&path.join("sub/b"), OpenHow::CreateNew).unwrap();
    made.write_all_at(b"ours", 0).unwrap();
    assert!(made.check_in_place().is_err());
    vfs.rename(&path.join("sub/b"), &path.join("sub/c")).unwrap();
    vfs.remove_file(&path.join("sub/a")).unwrap();
    vfs.sync_dir(&path.join("sub")).unwrap();
    vfs.sync_dir(&path).unwrap();
    assert_eq!(fs::read(elsewhere.join("sub/c")).unwrap(), b"ours");
    assert!(!elsewhere.join("sub/a").exists());
    assert_eq!(fs::read(path.join("sub/a")).unwrap(), b"of another store");
    assert_eq!(fs::read_dir(path.join("sub")).unwrap().count(), 1);
    fs::remove_dir_all(&path).unwrap();
    fs::rename(&elsewhere, &path).unwrap();
    vfs.check_in_place().unwrap();
}

#[test]
fn a_folder_that_is_held_keeps_its_inode_and_its_lock() {
    let folder = TempFolder::new("held");
    let path = folder.0.join("store");
    fs::create_dir(&path).unwrap();
    let vfs = anchored(&path);
    let lock = vfs.try_lock_folder(&path).unwrap().unwrap();
    assert!(OsVfs.try_lock_folder(&path).unwrap().is_none());
    let inode = fs::metadata(&path).unwrap().ino();
    fs::remove_dir(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_ne!(fs::metadata(&path).unwrap().ino(), inode);
    let of_new = OsVfs.try_lock_folder(&path).unwrap();
    assert!(of_new.is_some(), "another folder");
    drop(lock);
}

/// A child process that inherits a handle keeps a file, and a lock, that its parent has released.
#[cfg(target_os = "linux")]
#[test]
fn no_handle_is_inherited() {
    let folder = TempFolder::new("inherited");
    let vfs = anchored(&folder.0);
    vfs.create_dir_all(&folder.0.join("sub")).unwrap();
    let file = vfs.open(&folder.0.join("sub/a"), OpenHow::CreateNew).unwrap();
    let lock = vfs.try_lock(&folder.0.join("LOCK")).unwrap();
    let of_folder = vfs.try_lock_folder(&folder.0).unwrap();
    let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("->") && !listed.contains("ledgerstone-names-inherited"), "{listed}");
    drop((file, lock, of_folder));
}
