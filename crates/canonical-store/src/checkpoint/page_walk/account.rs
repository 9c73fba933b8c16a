//! Accounts for used and free pages: no page may be both, and none used twice.

use std::iter;

/// The maximum number of accepted free pages after the file's end. LMDB frees pages that it never wrote, at most as many as one
/// transaction can hold (2^17), and reuses them first.
const MAX_UNWRITTEN: usize = 1 << 22;

/// One bit per page of the file.
#[derive(Debug)]
struct PageSet(Vec<u64>);

impl PageSet {
    /// `None` when there is no memory for it.
    fn new(pages: u64) -> Option<Self> {
        let words = usize::try_from(pages.div_ceil(64)).ok()?;
        let mut set = Vec::new();
        set.try_reserve_exact(words).ok()?;
        set.resize(words, 0);
        Some(Self(set))
    }

    /// Returns whether it is new.
    fn insert(&mut self, page: u64) -> bool {
        let word = usize::try_from(page / 64).ok().and_then(|index| self.0.get_mut(index));
        let bit = 1 << (page % 64);
        word.is_some_and(|word| {
            let is_new = *word & bit == 0;
            *word |= bit;
            is_new
        })
    }
}

/// The pages of the trees.
#[derive(Debug)]
pub(super) struct UsedPages {
    /// The complete pages of the file, including the two meta pages.
    file_pages: u64,
    pages: PageSet,
}

impl UsedPages {
    /// `None` when there is no memory for it.
    pub(super) fn new(file_pages: u64) -> Option<Self> {
        let mut pages = PageSet::new(file_pages)?;
        pages.insert(0);
        pages.insert(1);
        Some(Self { file_pages, pages })
    }

    /// Marks `count` pages from `first` on as used; the error says why they cannot be.
    pub(super) fn take(&mut self, first: u64, count: u64) -> Result<(), &'static str> {
        let end = first.saturating_add(count);
        if first < 2 || end > self.file_pages {
            return Err("a page is named that the file does not have");
        }
        let mut is_new = true;
        for page in first..end {
            is_new &= self.pages.insert(page);
        }
        if is_new { Ok(()) } else { Err("a page is used twice") }
    }

    /// The used pages that are also free.
    pub(super) fn also_free(&self, free: &FreePages) -> impl Iterator<Item = u64> {
        bits(self.pages.0.iter().zip(&free.pages.0).map(|(used, free)| used & free))
    }

    /// The pages that are neither used nor free.
    pub(super) fn strays(&self, free: &FreePages) -> impl Iterator<Item = u64> {
        let pages = bits(self.pages.0.iter().zip(&free.pages.0).map(|(used, free)| !(used | free)));
        pages.take_while(|page| *page < self.file_pages)
    }
}

/// The pages that LMDB may overwrite.
#[derive(Debug)]
pub(super) struct FreePages {
    file_pages: u64,
    last_page: u64,
    pages: PageSet,
    count: u64,
    /// Those after the file's end.
    unwritten: Vec<u64>,
}

impl Default for FreePages {
    /// No free pages, for a file without any.
    fn default() -> Self {
        Self { file_pages: 0, last_page: 0, pages: PageSet(Vec::new()), count: 0, unwritten: Vec::new() }
    }
}

impl FreePages {
    /// `None` when there is no memory for it.
    pub(super) fn new(file_pages: u64, last_page: u64) -> Option<Self> {
        let pages = PageSet::new(file_pages)?;
        Some(Self { file_pages, last_page, pages, count: 0, unwritten: Vec::new() })
    }

    pub(super) fn last_page(&self) -> u64 {
        self.last_page
    }

    /// Marks a page as free; returns whether it can be.
    pub(super) fn insert(&mut self, page: u64) -> bool {
        self.count += 1;
        if page < self.file_pages {
            return page >= 2 && self.pages.insert(page);
        }
        let is_possible = page <= self.last_page && self.unwritten.len() < MAX_UNWRITTEN;
        let is_kept = is_possible && self.unwritten.try_reserve(1).is_ok();
        if is_kept {
            self.unwritten.push(page);
        }
        is_kept
    }

    /// The number of free pages.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether all pages that the file should have and does not are free.
    pub(super) fn reach_the_end(&mut self) -> bool {
        self.unwritten.sort_unstable();
        self.unwritten.iter().copied().eq(self.file_pages..self.last_page.saturating_add(1))
    }
}

fn bits(words: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
    words.zip((0..).step_by(64)).flat_map(|(mut word, base)| {
        iter::from_fn(move || {
            let bit = word.trailing_zeros();
            word &= word.wrapping_sub(1);
            (bit < 64).then(|| base + u64::from(bit))
        })
    })
}
