//! Waiting: JavaScript says for which marks and events it waits, the engine works for them, and the environment is woken when they
//! are reached.

use ledgerstone_canonical_store::{Level, Marks};

use crate::{
    environment::store::{
        StoreEntry,
        demand::{Demands, NOBODY},
    },
    error::{ErrorRecord, Failure},
};

/// What JavaScript waits for at the end of a turn: the highest seq at each level, 0 for nobody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) written: u64,
    pub(crate) durable: u64,
    pub(crate) flushed: u64,
    /// Somebody waits until the store is not crowded.
    pub(crate) room: bool,
    /// There are so few waiters that their flush may run on this thread.
    pub(crate) few: bool,
}

impl StoreEntry {
    /// Registers the waiters, lets the engine work for them, and returns the durable seq: JavaScript serves those now that wait for
    /// that or less, at the levels written and durable. Others are woken.
    pub(crate) fn want(&self, wishes: Wishes) -> Result<u64, Failure> {
        let mut marks = self.handle.marks();
        if wishes.few && wishes.durable > marks.durable && !marks.failed {
            self.watch.leading(|| self.handle.try_lead(wishes.durable))?;
            marks = self.handle.marks();
        }
        if marks.failed {
            self.give_up_waiting();
            return Err(self.handle.failure().map_or_else(|| ErrorRecord::closed("the store"), Failure::from));
        }
        self.register(wishes, &marks);
        self.publish();
        for (level, seq, mark) in [
            (Level::Written, wishes.written, marks.written),
            (Level::Durable, wishes.durable, marks.durable),
            (Level::Flushed, wishes.flushed, marks.flushed),
        ] {
            if seq > mark {
                self.handle.want(level, seq);
            }
        }
        if wishes.room {
            self.handle.want(Level::Room, marks.applied);
        }
        let marks = self.handle.marks();
        let durable = marks.durable;
        self.let_loop_go(&marks);
        {
            let mut demands = self.demands.borrow_mut();
            demands.written.told(durable);
            demands.durable.told(durable);
        }
        self.publish_and_look();
        Ok(durable)
    }

    fn register(&self, wishes: Wishes, marks: &Marks) {
        let first = match self.first_commit_of_turn.replace(0) {
            0 => u64::MAX,
            first => first,
        };
        let mut demands = self.demands.borrow_mut();
        if wishes.written > marks.durable {
            demands.written.add(first.min(wishes.written), wishes.written);
        }
        if wishes.durable > marks.durable {
            demands.durable.add(first.min(wishes.durable), wishes.durable);
        }
        if wishes.flushed > 0 {
            demands.flushed.add(wishes.flushed, wishes.flushed);
        }
        demands.room |= wishes.room;
    }

    /// Followers wait for these events at the levels applied, written and durable; [`NOBODY`] where none does.
    pub(crate) fn await_events(&self, events: [u64; 3]) {
        let [applied, ..] = events;
        match (self.watches_applied.replace(applied != NOBODY), applied != NOBODY) {
            (false, true) => self.handle.watch_applied(),
            (true, false) => self.handle.unwatch_applied(),
            _ => {}
        }
        self.watch.await_events(events);
        if self.watch.is_reached_by(&self.handle.marks()) {
            self.watch.wake();
        }
    }

    /// The marks of this moment: JavaScript knows them now, and is not woken for them again.
    pub(crate) fn poll(&self) -> Marks {
        let marks = self.handle.marks();
        if marks.failed {
            self.give_up_waiting();
            return marks;
        }
        {
            let mut demands = self.demands.borrow_mut();
            demands.written.told(marks.written);
            demands.durable.told(marks.durable);
            demands.flushed.told(marks.flushed);
            demands.room &= (marks.crowded && !marks.no_space) || marks.paused;
        }
        self.watch.events_are_told(&marks);
        self.let_loop_go(&marks);
        self.publish_and_look();
        marks
    }

    fn give_up_waiting(&self) {
        self.watch.failure_is_told();
        *self.demands.borrow_mut() = Demands::default();
        self.publish();
    }

    fn publish(&self) {
        let demands = self.demands.borrow();
        self.watch.wish(demands.written.next(), demands.durable.next(), demands.flushed.next(), demands.room);
    }

    pub(crate) fn publish_and_look(&self) {
        self.publish();
        if self.watch.is_reached_by(&self.handle.marks()) {
            self.watch.wake();
        }
    }
}
