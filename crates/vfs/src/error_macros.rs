//! How the errors of rooms that keep files are made of what went wrong here. Each room has its own enum, since its words differ; the variants
//! that this is about have the same names and fields everywhere.

/// For an error with the variants `Io`, `NoSpace` and `Foreign { path, found, expected }`: what a [`FileError`](crate::FileError) is as one.
#[macro_export]
macro_rules! from_file_error {
    ($error:ident) => {
        impl From<$crate::FileError> for $error {
            fn from(error: $crate::FileError) -> Self {
                match error.as_foreign() {
                    Some((found, expected)) => {
                        Self::Foreign { path: error.path, found: found.into(), expected: expected.into() }
                    }
                    None if error.is_no_space() => Self::NoSpace(error),
                    None => Self::Io(error),
                }
            }
        }
    };
}

/// For an error that has the variants of [`from_file_error`] and `FileSystem`, `Locked`, `Corrupt` and `Format` too: what a
/// [`FolderError`](crate::FolderError) is as one; how the room's code makes a `Foreign`; and whether an error passes by itself.
#[macro_export]
macro_rules! from_folder_error {
    ($error:ident) => {
        impl From<$crate::FolderError> for $error {
            fn from(error: $crate::FolderError) -> Self {
                match error {
                    $crate::FolderError::File(error) => error.into(),
                    $crate::FolderError::Network { path, kind } => Self::FileSystem { path, kind },
                    $crate::FolderError::Taken { path, by } => Self::Locked { path, by },
                    $crate::FolderError::Damaged { path, what } => {
                        Self::Corrupt { file: path, offset: 0, what: what.to_owned() }
                    }
                    $crate::FolderError::Version { path, found, supported } => {
                        Self::Format { file: path, found, supported }
                    }
                }
            }
        }

        impl $error {
            pub(crate) fn foreign(path: impl Into<std::path::PathBuf>, found: &str, expected: &str) -> Self {
                Self::Foreign { path: path.into(), found: found.to_owned(), expected: expected.to_owned() }
            }

            /// Whether it passes by itself: there is room on the device again, or handles and memory for the process.
            pub fn can_heal(&self) -> bool {
                match self {
                    Self::NoSpace(_) => true,
                    Self::Io(error) => error.is_shortage(),
                    _ => false,
                }
            }
        }
    };
}
