//! A table of handles that JavaScript knows by number. An id is a place and the generation of its occupant, so an id that
//! outlived its object finds nothing instead of another object. Knows nothing of what it holds.

use crate::number::{number, safe_integer};

/// Places are the low bits of an id; the rest counts occupants. Together they stay a safe integer.
const INDEX_BITS: u32 = 20;
const MAX_ENTRIES: usize = 1 << INDEX_BITS;
const MAX_GENERATION: u64 = (1 << (53 - INDEX_BITS)) - 1;

/// A slab of `T`, by ids that are never given twice.
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<usize>,
}

struct Entry<T> {
    generation: u64,
    value: Option<T>,
}

/// The number by which JavaScript knows an entry: at most 2^53 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle(u64);

impl Handle {
    /// Any number may come from JavaScript; one that cannot be an id simply finds nothing.
    pub(crate) fn from_number(number: f64) -> Self {
        Self(safe_integer(number).unwrap_or(u64::MAX))
    }

    pub(crate) fn as_number(self) -> f64 {
        number(self.0)
    }

    fn split(self) -> (usize, u64) {
        let index = self.0 & (MAX_ENTRIES as u64 - 1);
        (usize::try_from(index).unwrap_or(usize::MAX), self.0 >> INDEX_BITS)
    }
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    /// `None` when 1,048,576 are open.
    pub(crate) fn insert(&mut self, value: T) -> Option<Handle> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.entries.len() < MAX_ENTRIES => {
                self.entries.push(Entry { generation: 0, value: None });
                self.entries.len() - 1
            }
            None => return None,
        };
        let entry = self.entries.get_mut(index)?;
        entry.value = Some(value);
        Some(Handle(entry.generation << INDEX_BITS | index as u64))
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        let (index, generation) = handle.split();
        self.entries.get(index).filter(|entry| entry.generation == generation)?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let (index, generation) = handle.split();
        self.entries.get_mut(index).filter(|entry| entry.generation == generation)?.value.as_mut()
    }

    /// Takes it out; its id is stale from now on.
    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        let (index, generation) = handle.split();
        let entry = self.entries.get_mut(index).filter(|entry| entry.generation == generation)?;
        let value = entry.value.take()?;
        // A place whose generations are used up is never given again.
        if entry.generation < MAX_GENERATION {
            entry.generation += 1;
            self.free.push(index);
        }
        Some(value)
    }

    /// Takes out all for which `goes` is true.
    pub(crate) fn remove_where(&mut self, goes: impl Fn(&T) -> bool) -> Vec<T> {
        let ids: Vec<_> = self.iter().filter(|(_, value)| goes(value)).map(|(handle, _)| handle).collect();
        ids.into_iter().filter_map(|handle| self.remove(handle)).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| {
            let handle = Handle(entry.generation << INDEX_BITS | index as u64);
            entry.value.as_ref().map(|value| (handle, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Handle, Slab};

    #[test]
    fn a_stale_id_does_not_find_the_next_occupant() {
        let mut slab = Slab::new();
        let first = slab.insert("first").unwrap();
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second").unwrap();
        assert_ne!(first, second);
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&"second")));
        assert_eq!((slab.get_mut(first).is_none(), slab.remove(first)), (true, None));
    }

    #[test]
    fn numbers_that_are_no_ids_find_nothing() {
        let mut slab = Slab::new();
        slab.insert(()).unwrap();
        for number in [-1.0, 0.5, f64::NAN, f64::INFINITY, -f64::INFINITY, 9_007_199_254_740_992.0, 1.0, 1_048_576.0] {
            assert_eq!(slab.get(Handle::from_number(number)), None, "{number}");
        }
        assert_eq!(slab.get(Handle::from_number(0.0)), Some(&()));
    }

    #[test]
    fn removing_by_a_condition_leaves_the_others() {
        let mut slab = Slab::new();
        let ids = [1, 2, 3, 4].map(|value| slab.insert(value).unwrap());
        assert_eq!(slab.remove_where(|value| value % 2 == 0), [2, 4]);
        assert_eq!(ids.map(|id| slab.get(id).copied()), [Some(1), None, Some(3), None]);
    }
}
