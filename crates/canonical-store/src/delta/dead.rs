//! Dead spans: ranges of keys, found by scans, in which nothing is alive. Every key in them, here and in the generations below,
//! was deleted by this generation or one below. The generations below do not change that while this one is in use, whether they
//! are in memory or flushed. So a span is valid until a key is put into it. A scan passes the deleted head of a queue in one step.
//!
//! Keys are full keys: they begin with the collection's id.

use std::{collections::BTreeMap, ops::Bound};

/// The number of spans kept per generation; a scan walks again through further ones.
const MAX_SPANS: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    /// The first key after it.
    to: Vec<u8>,
    /// Readers at this commit or a later one find nothing alive in it.
    since: u64,
}

/// See the module. By the first key of each; they neither overlap nor touch.
#[derive(Debug, Default)]
pub(super) struct DeadSpans {
    spans: BTreeMap<Vec<u8>, Span>,
}

/// The first key after `key`.
pub(crate) fn successor(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

impl DeadSpans {
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    fn around(&self, key: &[u8]) -> Option<(&Vec<u8>, &Span)> {
        let (from, span) = self.spans.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        (span.to.as_slice() > key).then_some((from, span))
    }

    /// The span that contains `key` for a reader at `seq`: its first key, and the first one after it.
    pub(super) fn covering(&self, key: &[u8], seq: u64) -> Option<(&[u8], &[u8])> {
        let (from, span) = self.around(key)?;
        (span.since <= seq).then_some((from, &span.to))
    }

    /// Adds a span without anything alive, from `from` up to but not including `to`, as of `since`.
    pub(super) fn add(&mut self, mut from: Vec<u8>, mut to: Vec<u8>, mut since: u64) {
        if from >= to {
            return;
        }
        // The spans that begin at or before its end, from the last to the first: all become one.
        while let Some((other, span)) =
            self.spans.range::<[u8], _>((Bound::Unbounded, Bound::Included(&*to))).next_back()
        {
            if span.to < from {
                break;
            }
            let other = other.clone();
            let Some(span) = self.spans.remove(&other) else { break };
            from = from.min(other);
            to = to.max(span.to);
            since = since.max(span.since);
        }
        if self.spans.len() < MAX_SPANS {
            self.spans.insert(from, Span { to, since });
        }
    }

    /// A key was put at `key`: splits its span in two.
    pub(super) fn revive(&mut self, key: &[u8]) {
        let Some((from, _)) = self.around(key) else { return };
        let from = from.clone();
        let Some(Span { to, since }) = self.spans.remove(&from) else { return };
        self.add(successor(key.to_vec()), to, since);
        // Last: the key itself is between them, so they stay two.
        self.add(from, key.to_vec(), since);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{DeadSpans, MAX_SPANS, successor};

    #[derive(Clone, Debug)]
    enum Step {
        Add(u8, u8, u64),
        Revive(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u8..40, 0u8..40, 0u64..4).prop_map(|(from, to, since)| Step::Add(from, to, since)),
            (0u8..40).prop_map(Step::Revive),
        ]
    }

    proptest! {
        /// A model that knows since when each key is dead. Every claim must be true; joining spans may limit a claim to later readers.
        #[test]
        fn what_is_claimed_is_true_and_what_is_known_to_the_newest_reader_is_claimed(
            steps in proptest::collection::vec(step(), 0..60),
        ) {
            let mut spans = DeadSpans::default();
            let mut dead: [Option<u64>; 40] = [None; 40];
            for step in steps {
                match step {
                    Step::Add(from, to, since) => {
                        spans.add(vec![from], vec![to], since);
                        for key in from..to {
                            let known = &mut dead[usize::from(key)];
                            *known = Some(known.map_or(since, |known| known.min(since)));
                        }
                    }
                    Step::Revive(key) => {
                        spans.revive(&[key]);
                        dead[usize::from(key)] = None;
                    }
                }
                for key in 0..40u8 {
                    for seq in 0..4 {
                        if let Some((from, to)) = spans.covering(&[key], seq) {
                            prop_assert!(from <= [key].as_slice() && [key].as_slice() < to);
                            let mut within = (0..40u8).filter(|key| from <= [*key].as_slice() && [*key].as_slice() < to);
                            let all = within.all(|key| dead[usize::from(key)].is_some_and(|since| since <= seq));
                            prop_assert!(all, "{from:?}..{to:?} at {seq}");
                        }
                    }
                    prop_assert_eq!(spans.covering(&[key], 3).is_some(), dead[usize::from(key)].is_some());
                }
            }
        }
    }

    #[test]
    fn a_key_put_behind_a_shorter_one_divides_its_span_too() {
        let mut spans = DeadSpans::default();
        spans.add(b"a".to_vec(), b"c".to_vec(), 1);
        spans.revive(b"b");
        assert_eq!(spans.covering(b"a", 1), Some((b"a".as_slice(), b"b".as_slice())));
        assert_eq!(spans.covering(b"b", 1), None);
        assert_eq!(spans.covering(b"b\0", 1), Some((successor(b"b".to_vec()).as_slice(), b"c".as_slice())));
        assert_eq!(spans.covering(b"c", 1), None);
    }

    #[test]
    fn no_more_spans_are_kept_than_there_may_be() {
        let mut spans = DeadSpans::default();
        for number in 0..10_000u32 {
            let from = (number * 2).to_be_bytes().to_vec();
            spans.add(from.clone(), successor(from), 1);
        }
        assert_eq!(spans.spans.len(), MAX_SPANS);
    }
}
