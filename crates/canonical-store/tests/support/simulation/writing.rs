//! Commits that a life makes, and writes that must be refused. Each commit differs from all others by its bytes.

use std::{sync::Arc, time::Duration};

use ledgerstone_canonical_store::{Error, Fill, GateEntry, Stall};

use super::{
    history::{Change, NAMES, write_set},
    reading::{Check, Stop, draw_bounds, ensure, expected},
    world::World,
};

impl World {
    fn draw_value(&mut self) -> Vec<u8> {
        if self.chance.one_in(8) {
            return Vec::new();
        }
        self.serial += 1;
        let mut value = format!("value {} ", self.serial).into_bytes();
        if self.style.large_values && self.chance.one_in(6) {
            let len = self.chance.below(12_000);
            value.extend(self.chance.filler(len));
        }
        value
    }

    /// All commits differ: a lost one must be distinguishable from a later one.
    fn draw_changes(&mut self) -> Vec<Change> {
        let image = self.history.now();
        if self.chance.one_in(16) {
            self.clock.advance(Duration::from_millis(1));
            let living: Vec<usize> = (1..NAMES.len()).filter(|slot| image.collections[*slot].is_some()).collect();
            let later = ledgerstone_vfs::Clock::wall_ms(&self.clock) > image.timestamp_ms;
            if later && !living.is_empty() {
                return vec![Change::Drop(*self.chance.pick(&living))];
            }
        }
        self.serial += 1;
        let mut changes = vec![if self.chance.one_in(2) {
            let slot = usize::try_from(self.chance.below(NAMES.len() as u64)).unwrap();
            Change::Put(slot, self.chance.key(), format!("serial {}", self.serial).into_bytes())
        } else {
            Change::Event(format!("serial {}", self.serial).into_bytes())
        }];
        for _ in 0..self.chance.below(7) {
            let slot = usize::try_from(self.chance.below(NAMES.len() as u64)).unwrap();
            changes.push(match self.chance.below(8) {
                0..=3 => Change::Put(slot, self.chance.key(), self.draw_value()),
                4 | 5 => Change::Delete(slot, self.chance.key()),
                _ if self.style.large_events && self.chance.one_in(3) => {
                    let len = self.chance.below(30_000);
                    Change::Event(self.chance.filler(len))
                }
                _ => Change::Event(self.draw_value()),
            });
        }
        changes
    }

    pub(super) fn commit(&mut self) -> Check {
        let store = Arc::clone(&self.session().store);
        let (mut changes, image, owner) = (self.draw_changes(), self.history.now(), self.owner);
        let mut entry = GateEntry::Blind;
        if self.chance.one_in(3) {
            // Waiting for room takes real time.
            let stall = if store.marks().crowded { Stall::No } else { Stall::Yes };
            match store.begin(owner, stall) {
                Ok(next) => ensure(next == image.next_event_id(), || format!("begin gave the event id {next}"))?,
                Err(error @ Error::Sealed { .. }) => return self.refused_by_seal(&error),
                Err(error) if self.may_fail(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            entry = GateEntry::Held;
            self.read_keys()?;
            if self.chance.one_in(6) {
                store.abort(owner);
                self.census.one("transaction: aborted");
                return Ok(());
            }
            let drops = changes.iter().any(|change| matches!(change, Change::Drop(_)));
            if !drops && self.chance.one_in(6) {
                self.delete_range(&mut changes)?;
            }
        }
        let before = store.marks();
        let outcome = store.commit(owner, entry, write_set(&changes).bytes(), &self.session().slots.clone());
        let info = match outcome {
            Ok(info) => info,
            Err(error @ Error::Sealed { .. }) => return self.refused_by_seal(&error),
            Err(error) if self.may_fail(&error) => {
                self.census.one(format!("transaction: {}", error.code()));
                self.tell(|| format!("commit failed: {error}"));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        ensure(!before.failed, || format!("a commit after the failure: {info:?}"))?;
        ensure(image.sealed.is_none(), || format!("a commit after the seal: {info:?}"))?;
        let dropped = changes.iter().any(|change| matches!(change, Change::Drop(_)));
        self.census.one("transaction: committed");
        self.census.add("transaction: drops a collection", u64::from(dropped));
        let counted = image.count(&changes);
        self.tell(|| format!("commit {}: {changes:.60?}", info.seq));
        let first_event_id = (counted.events > 0).then(|| image.next_event_id());
        let right = info.seq == image.seq + 1
            && info.first_event_id == first_event_id
            && (info.events_written, info.keys_written, info.keys_deleted)
                == (counted.events, counted.written, counted.deleted)
            && info.timestamp_ms >= image.timestamp_ms;
        ensure(right, || format!("commit info: {info:?}, expected {counted:?} behind {}", image.seq))?;
        self.history.push(&changes, info.timestamp_ms, before.durable);
        Ok(())
    }

    /// Reads a range and deletes everything in it, as `deleteRange` does.
    fn delete_range(&mut self, changes: &mut Vec<Change>) -> Check {
        let image = self.history.now();
        let slot = usize::try_from(self.chance.below(NAMES.len() as u64)).unwrap();
        let Self { session: Some(session), chance, census, .. } = self else { return Ok(()) };
        let mut seen = Vec::new();
        let bounds = draw_bounds(chance);
        let mut range = session.store.range(&session.slots[slot], bounds.clone())?;
        let filled = range.fill(&mut |key, _| {
            seen.push(key.to_vec());
            Fill::Taken
        });
        match filled {
            Ok(_) => {}
            Err(error) => return self.tolerate(Err(error.into())),
        }
        let expected: Vec<_> = expected(&image.entries(slot), &bounds).into_iter().map(|(key, _)| key).collect();
        ensure(seen == expected, || format!("a range to delete showed {seen:?}, expected {expected:?}"))?;
        census.add("transaction: deletes a range", u64::from(!seen.is_empty()));
        changes.extend(seen.into_iter().map(|key| Change::Delete(slot, key)));
        Ok(())
    }

    /// Writes that must be refused as a whole.
    pub(super) fn refused(&mut self) -> Check {
        let store = Arc::clone(&self.session().store);
        let slots = self.session().slots.clone();
        let image = self.history.now();
        let missing = (1..NAMES.len()).find(|slot| image.collections[*slot].is_none());
        let (changes, code) = match (self.chance.below(4), missing) {
            (0, Some(slot)) => (vec![Change::Drop(slot)], "ERR_NOT_FOUND"),
            (1, _) => (vec![Change::Drop(0)], "ERR_INVALID_ARGUMENT"),
            (2, _) => {
                (vec![Change::Event(b"lost".to_vec()), Change::Delete(9, b"key".to_vec())], "ERR_INVALID_ARGUMENT")
            }
            _ => (vec![Change::Event(b"lost".to_vec()), Change::Put(1, vec![7; 1_500], Vec::new())], "ERR_LIMIT"),
        };
        match store.commit(self.owner, GateEntry::Blind, write_set(&changes).bytes(), &slots) {
            Err(error @ Error::Sealed { .. }) => self.refused_by_seal(&error),
            Err(error) if error.code() == code || self.may_fail(&error) => {
                self.census.one("transaction: refused");
                Ok(())
            }
            other => Err(Stop::Wrong(format!("{code} was expected: {other:?}"))),
        }
    }
}
