//! Why a folder cannot be owned, or does not say whose it is.

use std::path::PathBuf;

use super::Taken;
use crate::FileError;

/// Why a folder cannot be owned. The rooms that own folders have these as errors of their own.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FolderError {
    /// A system call failed, or something that is not ours is in the way.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is on a file system that other machines share.
    #[error("a network file system: path={} type={kind}", path.display())]
    Network {
        /// The folder.
        path: PathBuf,
        /// What the operating system calls the file system.
        kind: String,
    },
    /// Somebody else owns it.
    #[error("the folder is in use {by} path={}", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Who has it.
        by: Taken,
    },
    /// A file of ours that cannot be believed, or is missing.
    #[error("{what}: path={}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file of a version that is not known.
    #[error("the format is not supported: found={found} supported={supported} path={}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u16,
        /// The newest one that is understood.
        supported: u16,
    },
}
