//! Compares what readers see with an image. Every reader is used in every direction.

use std::{
    collections::VecDeque,
    ops::{Bound, ControlFlow, RangeBounds},
    sync::Arc,
};

use ledgerstone_canonical_store::{
    CollectionRef, Direction, Error, Fill, KeyBounds, RangeCursor, ReadCache, Snapshot, Store,
};

use super::{
    chance::Chance,
    history::{Entries, Image},
};

/// Why a check ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A call failed; the caller decides whether that may happen.
    Failed(Error),
    /// The result is wrong.
    Wrong(String),
}

impl Stop {
    /// Its text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Failed(error) => format!("{}: {error}", error.code()),
            Self::Wrong(what) => what.clone(),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(crate) type Check<T = ()> = Result<T, Stop>;

pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Stop::Wrong(what())) }
}

/// Where to read: the current store, or a snapshot of it.
pub(crate) enum Source<'a> {
    Now(&'a Arc<Store>, &'a ReadCache),
    /// The snapshot, and the oldest event that its store keeps now: a snapshot holds no events back.
    Held(&'a Arc<Snapshot>, u64),
}

type Seen = Vec<(u64, u64, Vec<u8>)>;

impl Source<'_> {
    fn get(&self, collection: &CollectionRef, key: &[u8]) -> Check<Option<Vec<u8>>> {
        Ok(match self {
            Self::Now(store, cache) => store.get(cache, collection, key, <[u8]>::to_vec)?,
            Self::Held(snapshot, _) => snapshot.get(collection, key, <[u8]>::to_vec)?,
        })
    }

    fn range(&self, collection: &CollectionRef, bounds: KeyBounds) -> Check<RangeCursor> {
        Ok(match self {
            Self::Now(store, _) => store.range(collection, bounds)?,
            Self::Held(snapshot, _) => snapshot.range(collection, bounds)?,
        })
    }

    fn events(&self, from: u64, to: u64, direction: Direction) -> Check<Seen> {
        let mut seen = Vec::new();
        let mut visit = |id: u64, timestamp_ms: u64, bytes: &[u8]| {
            seen.push((id, timestamp_ms, bytes.to_vec()));
            ControlFlow::Continue(())
        };
        match self {
            Self::Now(store, _) => store.read_events(from, to, direction, &mut visit)?,
            Self::Held(snapshot, _) => snapshot.read_events(from, to, direction, &mut visit)?,
        }
        Ok(seen)
    }

    fn oldest(&self, image: &Image) -> u64 {
        match self {
            Self::Now(..) => image.oldest,
            Self::Held(_, oldest) => *oldest,
        }
    }

    fn first_event_at(&self, timestamp_ms: u64) -> Check<u64> {
        Ok(match self {
            Self::Now(store, _) => store.first_event_at(timestamp_ms)?,
            Self::Held(snapshot, _) => snapshot.first_event_at(timestamp_ms)?,
        })
    }
}

pub(crate) fn everything(reverse: bool) -> KeyBounds {
    KeyBounds { lower: Bound::Unbounded, upper: Bound::Unbounded, reverse, limit: None }
}

/// The remaining entries of a range.
pub(crate) type Left = VecDeque<(Vec<u8>, Vec<u8>)>;

/// The expected entries of a range.
pub(crate) fn expected(entries: &Entries, bounds: &KeyBounds) -> Left {
    let inside = |key: &Vec<u8>| {
        RangeBounds::<[u8]>::contains(
            &(bounds.lower.as_ref().map(Vec::as_slice), bounds.upper.as_ref().map(Vec::as_slice)),
            key.as_slice(),
        )
    };
    let mut shown: Vec<_> =
        entries.iter().filter(|(key, _)| inside(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    if bounds.reverse {
        shown.reverse();
    }
    shown.truncate(bounds.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap()));
    shown.into()
}

/// Random bounds of all kinds.
pub(crate) fn draw_bounds(chance: &mut Chance) -> KeyBounds {
    let mut bound = || match chance.below(3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(chance.key()),
        _ => Bound::Excluded(chance.key()),
    };
    let (lower, upper) = (bound(), bound());
    let limit = chance.one_in(3).then(|| chance.below(6));
    KeyBounds { lower, upper, reverse: chance.one_in(2), limit }
}

/// Fills one page of `room` entries and compares it; returns whether the range was shown completely.
pub(crate) fn fill_page(cursor: &mut RangeCursor, left: &mut Left, mut room: u64) -> Check<bool> {
    let mut wrong = None;
    let done = cursor.fill(&mut |key, value| {
        if room == 0 {
            return Fill::Full;
        }
        room -= 1;
        let next = left.pop_front();
        if next.as_ref().is_none_or(|(k, v)| k != key || v != value) {
            wrong.get_or_insert(format!("a range showed {key:?} = {value:?}, expected {next:?}"));
        }
        Fill::Taken
    })?;
    ensure(wrong.is_none(), || wrong.unwrap_or_default())?;
    ensure(!done || left.is_empty(), || format!("a range ended before {left:?}"))?;
    Ok(done)
}

pub(crate) fn check_range(
    source: &Source<'_>,
    collection: &CollectionRef,
    entries: &Entries,
    bounds: KeyBounds,
    chance: &mut Chance,
) -> Check {
    let mut left = expected(entries, &bounds);
    let mut cursor = source.range(collection, bounds)?;
    if chance.one_in(4) {
        let count = cursor.count()?;
        return ensure(count == left.len() as u64, || format!("a range counted {count}, expected {left:?}"));
    }
    while !fill_page(&mut cursor, &mut left, 1 + chance.below(4))? {}
    Ok(())
}

pub(crate) fn check_key(source: &Source<'_>, collection: &CollectionRef, entries: &Entries, key: &[u8]) -> Check {
    let (seen, expected) = (source.get(collection, key)?, entries.get(key));
    ensure(seen.as_ref() == expected, || format!("get {key:?} showed {seen:?}, expected {expected:?}"))
}

/// The kept part of `from..to`, in both directions; a reader that begins below gets an error.
pub(crate) fn check_events(source: &Source<'_>, image: &Image, from: u64, to: u64) -> Check {
    let (oldest, to) = (source.oldest(image), to.min(image.next_event_id()));
    let ids = from.max(oldest)..to;
    let expected: Seen = ids
        .map(|id| {
            let (timestamp_ms, payload) = &image.events[usize::try_from(id - 1).unwrap()];
            (id, *timestamp_ms, payload.to_vec())
        })
        .collect();
    for (direction, begin) in [(Direction::Forward, from), (Direction::Backward, to.saturating_sub(1).max(from))] {
        let is_kept = from >= to || !(1..oldest).contains(&begin);
        let mut seen = match source.events(from, to, direction) {
            Err(Stop::Failed(Error::EventsTrimmed { requested, oldest: told })) => {
                ensure(!is_kept && (requested, told) == (begin, oldest), || {
                    format!("events {from}..{to} are trimmed: requested={requested} oldest={told}, oldest={oldest}")
                })?;
                continue;
            }
            seen => seen?,
        };
        ensure(is_kept, || format!("events {from}..{to} showed {} from below {oldest}", seen.len()))?;
        if direction == Direction::Backward {
            seen.reverse();
        }
        let ids = |events: &Seen| events.iter().map(|(id, ..)| *id).collect::<Vec<_>>();
        ensure(seen == expected, || {
            format!("events {from}..{to} showed ids {:?}, expected {:?}", ids(&seen), ids(&expected))
        })?;
    }
    Ok(())
}

pub(crate) fn check_first_event_at(source: &Source<'_>, image: &Image, timestamp_ms: u64) -> Check {
    let expected = image.first_event_at(timestamp_ms, source.oldest(image));
    let seen = source.first_event_at(timestamp_ms)?;
    ensure(seen == expected, || format!("first event at {timestamp_ms}: {seen}, expected {expected}"))
}

/// Checks everything, through every reader.
pub(crate) fn check_all(
    source: &Source<'_>,
    slots: &[Arc<CollectionRef>],
    image: &Image,
    chance: &mut Chance,
) -> Check {
    for (slot, collection) in slots.iter().enumerate() {
        let entries = image.entries(slot);
        for reverse in [false, true] {
            check_range(source, collection, &entries, everything(reverse), chance)?;
        }
        for key in entries.keys() {
            check_key(source, collection, &entries, key)?;
        }
        check_key(source, collection, &entries, &chance.key())?;
    }
    check_events(source, image, 0, u64::MAX)?;
    check_first_event_at(source, image, image.timestamp_ms.saturating_sub(1))
}
