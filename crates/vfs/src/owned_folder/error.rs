//! Why a folder cannot be owned, or its identity not be read.

use std::path::PathBuf;

use super::Taken;
use crate::FileError;

/// Why a folder cannot be owned. The rooms that own folders convert these into their own errors.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FolderError {
    /// A system call failed, or a foreign file is in the way.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder is on a file system that other machines share.
    #[error("a network file system: path={} type={kind}", path.display())]
    Network {
        /// The folder.
        path: PathBuf,
        /// The operating system's name for the file system.
        kind: String,
    },
    /// Another owner has it.
    #[error("the folder is in use {by} path={}", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// The owner.
        by: Taken,
    },
    /// A file of ours that is invalid or missing.
    #[error("{what}: path={}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file of an unknown version.
    #[error("the format is not supported: found={found} supported={supported} path={}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u16,
        /// The newest supported version.
        supported: u16,
    },
}
