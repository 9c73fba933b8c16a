//! A walk over the pages of LMDB's file without LMDB. LMDB's pages have no checksums and LMDB trusts them: it follows numbers,
//! offsets and sizes wherever they lead, through a map, and changes pages by them. The walk reads the file instead, and accepts
//! only what LMDB writes.
//!
//! Bytes without meaning are not checked: free pages, the free space within pages, the bytes after a value on its last page.

mod account;
mod contents;
mod meta_page;
mod page;
mod tree;
mod tree_record;

use ledgerstone_vfs::{FileError, VfsFile};

use self::{
    account::{FreePages, UsedPages},
    contents::{Contents, FreeLists, Names, Small, State},
    page::{Data, Node, Sizes},
    tree::KeyOrder,
};
pub(super) use self::{
    meta_page::{META_BYTES, MetaPage, meta_pages},
    page::{BRANCH, LEAF, NODE_HEADER_BYTES, PAGE_HEADER_BYTES},
    tree_record::{Counts, TREE_RECORD_BYTES, TreeRecord},
};
use crate::verify::{ProblemKind, Report};

/// The databases that the first transaction makes, sorted.
const DATABASES: [&str; 3] = ["catalog", "meta", "state"];

/// A fault, and its place in the file.
#[derive(Debug)]
pub(super) enum Finding {
    Damage { kind: ProblemKind, offset: u64, what: &'static str },
    Unreadable { offset: u64, error: FileError },
}

impl Finding {
    pub(super) fn structure(offset: u64, what: &'static str) -> Self {
        Self::Damage { kind: ProblemKind::Structure, offset, what }
    }
}

/// The records of the databases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Databases {
    catalog: TreeRecord,
    meta: TreeRecord,
    state: TreeRecord,
}

/// The walk over the trees that one meta page leads to.
pub(super) struct PageWalk<'a> {
    file: &'a dyn VfsFile,
    meta: &'a MetaPage,
    sizes: Sizes,
    /// The complete pages of the file that the meta page covers.
    file_pages: u64,
    used: UsedPages,
    free: FreePages,
    tell: &'a mut dyn FnMut(Finding),
    cancelled: &'a dyn Fn() -> bool,
    /// The number of reported faults.
    found: u64,
    /// Bytes read.
    bytes: u64,
}

impl<'a> PageWalk<'a> {
    /// `file_bytes` is the file's length. Reports a fault and returns `None` when there is no memory to account for its pages.
    pub(super) fn new(
        file: &'a dyn VfsFile,
        file_bytes: u64,
        meta: &'a MetaPage,
        tell: &'a mut dyn FnMut(Finding),
        cancelled: &'a dyn Fn() -> bool,
    ) -> Option<Self> {
        let file_pages = (file_bytes / meta.page_bytes).min(meta.last_page.saturating_add(1));
        let account = (UsedPages::new(file_pages), FreePages::new(file_pages, meta.last_page));
        let (Some(used), Some(free)) = account else {
            tell(Finding::Unreadable { offset: 0, error: FileError::no_memory("pread", file.path()) });
            return None;
        };
        let sizes = Sizes::new(meta.page_bytes);
        Some(Self { file, meta, sizes, file_pages, used, free, tell, cancelled, found: 0, bytes: 0 })
    }

    /// Checks what must be right before LMDB maps the file: everything but `state`, the larger part. `None` when the databases
    /// cannot be found, or when there are none yet.
    pub(super) fn all_but_state(&mut self) -> Option<Databases> {
        self.free_pages();
        let databases = self.names()?;
        self.tree(&databases.catalog, KeyOrder::Bytes, &mut Small::catalog());
        self.tree(&databases.meta, KeyOrder::Bytes, &mut Small::meta());
        let trees = [self.meta.free, self.meta.main, databases.catalog, databases.meta, databases.state];
        let used = trees.iter().fold(2, |sum: u64, tree| sum.saturating_add(tree.counts.pages()));
        if used.saturating_add(self.free.count()) > self.meta.last_page.saturating_add(1) {
            self.damaged(self.meta.number(), "a meta page knows of fewer pages than there are");
        }
        Some(databases)
    }

    /// Checks the rest: `state`, and that every page is used or free. Returns the entries of all databases.
    pub(super) fn state(&mut self, databases: &Databases) -> u64 {
        let counted = self.tree(&databases.state, KeyOrder::Bytes, &mut State::default());
        self.contradictions();
        let stray = self.used.strays(&self.free).next();
        if let Some(page) = stray.filter(|_| self.found == 0 && !self.is_cancelled()) {
            self.damaged(page, "a page is neither in use nor free");
        }
        counted.entries + databases.catalog.counts.entries + databases.meta.counts.entries
    }

    /// Bytes read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn free_pages(&mut self) {
        let transaction = self.meta.transaction;
        let mut lists = FreeLists::new(std::mem::take(&mut self.free), transaction);
        self.tree(&self.meta.free, KeyOrder::Numbers, &mut lists);
        let newest = lists.newest;
        self.free = lists.pages;
        // Every transaction replaces the root, and so frees the previous one.
        if transaction > 1 && newest != transaction {
            self.damaged(self.meta.number(), "a meta page does not fit the list of free pages");
        }
        if self.found == 0 && !self.free.reach_the_end() {
            self.damaged(self.file_pages, "the state file is shorter than its meta page says");
        }
    }

    fn names(&mut self) -> Option<Databases> {
        if self.meta.main.root.is_none() {
            if self.meta.transaction > 0 || self.meta.free.root.is_some() {
                self.damaged(self.meta.number(), "a meta page knows of no databases");
            }
            return None;
        }
        let mut names = Names::default();
        self.tree(&self.meta.main, KeyOrder::Bytes, &mut names);
        match names.found.as_slice() {
            [(_, catalog), (_, meta), (_, state)]
                if names.found.iter().map(|(name, _)| name.as_slice()).eq(DATABASES.map(str::as_bytes)) =>
            {
                Some(Databases { catalog: *catalog, meta: *meta, state: *state })
            }
            _ => {
                self.flawed(ProblemKind::Foreign, self.meta.number(), "the databases are not those of a store");
                None
            }
        }
    }

    /// Reports pages that are free and used by the checked trees.
    pub(super) fn contradictions(&mut self) {
        let pages: Vec<u64> = self.used.also_free(&self.free).take(Report::MAX_PROBLEMS).collect();
        for page in pages {
            self.damaged(page, "a page is in use and free");
        }
    }

    fn is_cancelled(&self) -> bool {
        (self.cancelled)()
    }

    /// Reads whole pages; reports a fault when that fails.
    fn read(&mut self, first: u64, count: u64, bytes: &mut Vec<u8>) -> bool {
        let offset = first.saturating_mul(self.meta.page_bytes);
        let len = usize::try_from(count.saturating_mul(self.meta.page_bytes)).unwrap_or(usize::MAX);
        bytes.clear();
        // The page claims this size: a failed allocation is a fault to report and must not end the process.
        if bytes.try_reserve(len).is_err() {
            self.found += 1;
            (self.tell)(Finding::Unreadable { offset, error: FileError::no_memory("pread", self.file.path()) });
            return false;
        }
        bytes.resize(len, 0);
        match self.file.read_full_at(bytes, offset) {
            Ok(read) if read == len => {
                self.bytes += len as u64;
                true
            }
            Ok(_) => {
                self.damaged(first, "the file ends before its pages do");
                false
            }
            Err(error) => {
                self.found += 1;
                (self.tell)(Finding::Unreadable { offset, error });
                false
            }
        }
    }

    fn damaged(&mut self, page: u64, what: &'static str) {
        self.flawed(ProblemKind::Structure, page, what);
    }

    fn flawed(&mut self, kind: ProblemKind, page: u64, what: &'static str) {
        self.found += 1;
        (self.tell)(Finding::Damage { kind, offset: page.saturating_mul(self.meta.page_bytes), what });
    }
}
