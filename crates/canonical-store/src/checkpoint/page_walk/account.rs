//! Which pages are in use and which are free: none may be both, none may be in use twice.

use std::iter;

/// Free pages behind the file's end that are believed. LMDB gives back what it never wrote, at most as many pages as one
/// transaction can hold (2^17), and takes them again first.
const MAX_UNWRITTEN: usize = 1 << 22;

/// One bit for each page of the file.
#[derive(Debug)]
struct PageSet(Vec<u64>);

impl PageSet {
    /// `None` when there is no memory for so many.
    fn new(pages: u64) -> Option<Self> {
        let words = usize::try_from(pages.div_ceil(64)).ok()?;
        let mut set = Vec::new();
        set.try_reserve_exact(words).ok()?;
        set.resize(words, 0);
        Some(Self(set))
    }

    /// Whether it is new.
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

/// The pages that trees are made of.
#[derive(Debug)]
pub(super) struct UsedPages {
    /// Pages that the file has in full, the two meta pages included.
    file_pages: u64,
    pages: PageSet,
}

impl UsedPages {
    /// `None` when there is no memory for so many.
    pub(super) fn new(file_pages: u64) -> Option<Self> {
        let mut pages = PageSet::new(file_pages)?;
        pages.insert(0);
        pages.insert(1);
        Some(Self { file_pages, pages })
    }

    /// `count` pages from `first` on are in use; why they cannot be.
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

    /// Those that are free too.
    pub(super) fn also_free(&self, free: &FreePages) -> impl Iterator<Item = u64> {
        bits(self.pages.0.iter().zip(&free.pages.0).map(|(used, free)| used & free))
    }

    /// Those that are neither in use nor free.
    pub(super) fn strays(&self, free: &FreePages) -> impl Iterator<Item = u64> {
        let pages = bits(self.pages.0.iter().zip(&free.pages.0).map(|(used, free)| !(used | free)));
        pages.take_while(|page| *page < self.file_pages)
    }
}

/// The pages that LMDB may write over.
#[derive(Debug)]
pub(super) struct FreePages {
    file_pages: u64,
    last_page: u64,
    pages: PageSet,
    count: u64,
    /// Those behind the file's end.
    unwritten: Vec<u64>,
}

impl Default for FreePages {
    /// None, of a file without any.
    fn default() -> Self {
        Self { file_pages: 0, last_page: 0, pages: PageSet(Vec::new()), count: 0, unwritten: Vec::new() }
    }
}

impl FreePages {
    /// `None` when there is no memory for so many.
    pub(super) fn new(file_pages: u64, last_page: u64) -> Option<Self> {
        let pages = PageSet::new(file_pages)?;
        Some(Self { file_pages, last_page, pages, count: 0, unwritten: Vec::new() })
    }

    pub(super) fn last_page(&self) -> u64 {
        self.last_page
    }

    /// A page is free; whether it can be.
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

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether all pages are free that the file should have and does not.
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
