//! Changes of the store's condition: trims, seals, rotations, and the removals of retention. Each is a commit of the history;
//! the freed space is compared with the segments' names.

use std::{path::PathBuf, sync::Arc};

use ledgerstone_canonical_store::{Controlled, Error, RetentionPolicy, Store};

use super::{
    history::{Control, Image},
    reading::{Check, ensure},
    world::World,
};

/// A segment file: its first id, its length.
pub(super) type Segment = (u64, u64);

fn segment_path(first_id: u64) -> PathBuf {
    PathBuf::from(format!("/store/events/events-{first_id:020}.log"))
}

impl World {
    /// The policy of the next opening.
    pub(super) fn draw_policy(&mut self) {
        self.policy = RetentionPolicy::default();
        if self.style.retains && self.chance.one_in(2) {
            match self.chance.below(3) {
                0 => self.policy.max_bytes = Some(4_096 + self.chance.below(100_000)),
                1 => self.policy.max_events = Some(self.chance.below(40)),
                _ => {
                    self.policy.max_bytes = Some(4_096 + self.chance.below(200_000));
                    self.policy.max_events = Some(self.chance.below(80));
                }
            }
        }
    }

    pub(super) fn control(&mut self) -> Check {
        self.settle_incidents("in a session");
        let (outcome, phase) = match self.chance.below(10) {
            0..=5 => (self.trim(), "in a trim"),
            6 | 7 => (self.free_trimmed(), "in a trim"),
            8 => (self.seal(), "in a seal"),
            _ => (self.unseal(), "in a seal"),
        };
        self.settle_incidents(phase);
        outcome
    }

    /// The result of a change: in the history if it succeeded, and noted as possible if it failed.
    fn settle<T>(
        &mut self,
        outcome: Result<Controlled<T>, Error>,
        control: Option<Control>,
        image: &Image,
    ) -> Check<Option<T>> {
        let before = self.session().marks;
        match outcome {
            Ok(Controlled { outcome, seq }) => {
                ensure(!before.failed, || format!("a change after the failure: seq={seq}"))?;
                let expected = image.seq + u64::from(control.is_some());
                ensure(seq == expected, || format!("a change became {seq}, expected {expected}: {control:?}"))?;
                if let Some(control) = control {
                    self.tell(|| format!("commit {seq}: {control:?}"));
                    self.census.one(match control {
                        Control::Trim(_) => "control: trimmed",
                        Control::Seal => "control: sealed",
                        Control::Unseal => "control: unsealed",
                    });
                    let wall_ms = ledgerstone_vfs::Clock::wall_ms(&self.clock);
                    self.history.push_control(control, wall_ms, before.durable);
                }
                Ok(Some(outcome))
            }
            Err(error) if self.may_fail(&error) => {
                self.tell(|| format!("a change failed: {error}"));
                self.census.one(format!("control: {}", error.code()));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// In the middle, beyond the end, in memory only, already trimmed, nothing at all.
    fn trim(&mut self) -> Check {
        let (store, image) = (Arc::clone(&self.session().store), self.history.now());
        let next = image.next_event_id();
        let before = match self.chance.below(10) {
            0 => 0,
            1 => next + self.chance.below(20),
            2 => next,
            3 => u64::MAX,
            4 | 5 => self.chance.below(next + 1),
            _ => image.oldest + self.chance.below(8),
        };
        let outcome = store.trim_events(before);
        if let (Some(sealed), Err(Error::Sealed { event_id })) = (image.sealed, &outcome) {
            self.census.one("refused while sealed: a trim");
            return ensure(*event_id == sealed, || format!("sealed at {event_id}, expected {sealed}"));
        }
        let oldest = before.min(next);
        let count = oldest.saturating_sub(image.oldest);
        let trimmed = self.settle(outcome, (count > 0).then_some(Control::Trim(oldest)), &image)?;
        let Some(trimmed) = trimmed else { return Ok(()) };
        ensure(image.sealed.is_none(), || "a sealed store was trimmed".to_owned())?;
        ensure((trimmed.dropped, trimmed.oldest_event_id) == (count, oldest.max(image.oldest)), || {
            format!("a trim before {before} told {trimmed:?}, expected {count} from {}", image.oldest)
        })?;
        self.census.add("control: trimmed beyond the end", u64::from(count > 0 && before > next));
        self.census.add("control: trimmed to the end", u64::from(count > 0 && oldest == next));
        let marks = store.marks();
        if count > 0 && self.history.at(marks.flushed).next_event_id() <= image.oldest {
            self.census.one("control: trimmed in memory only");
        }
        let seq = self.history.seq();
        self.session().trims.push((seq, trimmed.oldest_event_id));
        if self.chance.one_in(2) { self.step_journal().and_then(|()| self.free_trimmed()) } else { Ok(()) }
    }

    /// A trim frees the space once it is durable.
    pub(super) fn free_trimmed(&mut self) -> Check {
        let store = Arc::clone(&self.session().store);
        let marks = store.marks();
        let trims = &mut self.session().trims;
        let durable = trims.partition_point(|(seq, _)| *seq <= marks.durable);
        let Some((_, oldest)) = trims.drain(..durable).next_back().filter(|_| !marks.failed) else { return Ok(()) };
        let before = self.segments().len();
        match store.free_trimmed(oldest) {
            Err(error) if !self.may_fail(&error) => return Err(error.into()),
            Err(error) => {
                let failed = store.marks().failed;
                ensure(failed, || format!("the log failed and the store does not know: {error}"))?;
            }
            Ok(()) => {}
        }
        let gone = before.saturating_sub(self.segments().len());
        self.census.add("segments: given back by a trim", gone as u64);
        Ok(())
    }

    fn seal(&mut self) -> Check {
        let (store, image) = (Arc::clone(&self.session().store), self.history.now());
        let newest = image.sealed.unwrap_or(image.next_event_id() - 1);
        let outcome = store.seal();
        let told = self.settle(outcome, image.sealed.is_none().then_some(Control::Seal), &image)?;
        ensure(told.is_none_or(|told| told == newest), || format!("a seal told {told:?}, expected {newest}"))
    }

    pub(super) fn unseal(&mut self) -> Check {
        let (store, image) = (Arc::clone(&self.session().store), self.history.now());
        let outcome = store.unseal();
        self.settle(outcome, image.sealed.is_some().then_some(Control::Unseal), &image).map(drop)
    }

    /// A write to a sealed store was refused; often unseals it, so that lives continue.
    pub(super) fn refused_by_seal(&mut self, error: &Error) -> Check {
        let sealed = self.history.now().sealed;
        let told = if let Error::Sealed { event_id } = error { Some(*event_id) } else { None };
        ensure(told == sealed, || format!("refused: {error}, sealed at {sealed:?}"))?;
        self.census.one("refused while sealed: a commit");
        if self.chance.one_in(3) { self.unseal() } else { Ok(()) }
    }

    /// Closes the newest segment, if that waits for no flush.
    pub(super) fn rotate(&mut self) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        let store = Arc::clone(&session.store);
        let marks = store.marks();
        if marks.flushed != marks.applied || self.disk.is_cut() {
            return Ok(());
        }
        let outcome = store.rotate_events();
        self.settle_incidents("in a rotation");
        let first_ids: Vec<_> = self.segments().into_iter().map(|(first_id, _)| first_id).collect();
        let image = self.history.now();
        let next = image.next_event_id();
        let closed = match outcome {
            Err(error) if self.may_fail(&error) => return self.observe(),
            Err(error) => return Err(error.into()),
            Ok(path) => path,
        };
        // A file may remain that could not be removed; it no longer counts.
        let newest = first_ids.iter().rev().nth(1).filter(|_| image.oldest < next);
        let expected = newest.map(|first_id| segment_path(*first_id));
        ensure(closed == expected && first_ids.last() == Some(&next), || {
            format!("rotated {closed:?}, found segments {first_ids:?} before {next}")
        })?;
        self.census.add("rotated", u64::from(closed.is_some()));
        self.observe()
    }

    /// The segments' files, oldest first.
    pub(super) fn segments(&self) -> Vec<Segment> {
        let id =
            |path: &PathBuf| path.to_str()?.strip_prefix("/store/events/events-")?.strip_suffix(".log")?.parse().ok();
        let len = |path: &PathBuf| self.disk.read_file(path).map_or(0, |bytes| bytes.len() as u64);
        let mut segments: Vec<_> =
            self.disk.list().iter().filter_map(|path| id(path).map(|first_id| (first_id, len(path)))).collect();
        segments.sort_unstable();
        segments
    }

    /// The input by which retention is judged: only the flusher changes it.
    pub(super) fn note_segments(&mut self) {
        if self.policy != RetentionPolicy::default() {
            self.segments_before = self.segments();
        }
    }

    /// Checks that the flusher has trimmed what the policy allows, and no more.
    pub(super) fn follow_retention(&mut self, store: &Store) -> Check {
        let (image, policy) = (self.history.now(), self.policy);
        let (marks, oldest) = (store.marks(), store.oldest_event_id());
        if policy == RetentionPolicy::default() || marks.applied == image.seq {
            return Ok(());
        }
        ensure(marks.applied == image.seq + 1 && oldest > image.oldest, || format!("{marks:?} behind {}", image.seq))?;
        ensure(image.sealed.is_none(), || "retention trimmed a sealed store".to_owned())?;
        ensure(oldest <= image.next_event_id(), || format!("retention trimmed to {oldest}"))?;
        let total: u64 = self.segments_before.iter().map(|(_, len)| len).sum();
        let dropped: Vec<_> = self.segments_before.iter().filter(|(first_id, _)| *first_id < oldest).collect();
        let at_boundary = self.segments_before.iter().any(|(first_id, _)| *first_id == oldest);
        let earlier: u64 = dropped.iter().rev().skip(1).map(|(_, len)| len).sum();
        let allowed = policy.max_events.is_some_and(|max| image.next_event_id() - oldest >= max)
            || policy.max_bytes.is_some_and(|max| total - earlier > max);
        ensure(at_boundary && allowed, || {
            format!("{policy:?} does not allow a trim to {oldest} of {:?}", self.segments_before)
        })?;
        self.tell(|| format!("commit {}: retention trims to {oldest}", marks.applied));
        self.census.one("control: trimmed by retention");
        let wall_ms = ledgerstone_vfs::Clock::wall_ms(&self.clock);
        let durable = self.durable_floor;
        self.history.push_control(Control::Trim(oldest), wall_ms, durable);
        Ok(())
    }

    /// After a flush no segment remains whose events were all trimmed and are all in the checkpoint.
    pub(super) fn check_given_back(&mut self, flushed: &Image) -> Check {
        if self.faulty || self.disk.is_cut() || self.is_full {
            return Ok(());
        }
        let segments = self.segments();
        let second = segments.get(1).map(|(first_id, _)| *first_id);
        self.census.add("segments: some trimmed, none too many", u64::from(flushed.oldest > 1));
        ensure(second.is_none_or(|second| second > flushed.oldest), || {
            format!("trimmed segments are still there: {segments:?} oldest={}", flushed.oldest)
        })
    }

    /// Checks that the store's condition is the history's.
    pub(super) fn check_condition(&self) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        let (store, image) = (&session.store, self.history.now());
        let (oldest, sealed) = (store.oldest_event_id(), store.sealed());
        ensure(oldest == image.oldest, || format!("the oldest event is {oldest}, expected {}", image.oldest))?;
        ensure(sealed == image.sealed && store.marks().sealed == sealed.is_some(), || {
            format!("sealed at {sealed:?}, expected {:?}", image.sealed)
        })
    }

    /// Counts which trims and seals an opening has recovered.
    pub(super) fn census_of_opening(&mut self, seq: u64, flushed: u64) {
        let (found, stored, known) = (self.history.at(seq), self.history.at(flushed), self.history.now());
        for (what, met) in [
            ("opening: sealed", found.sealed.is_some()),
            ("opening: a seal replayed", found.sealed.is_some() && stored.sealed.is_none()),
            ("opening: a seal lost", found.sealed.is_none() && known.sealed.is_some()),
            ("opening: trimmed", found.oldest > 1),
            ("opening: a trim replayed", found.oldest > stored.oldest),
            ("opening: a trim lost", found.oldest < known.oldest),
        ] {
            self.census.add(what, u64::from(met));
        }
    }
}
