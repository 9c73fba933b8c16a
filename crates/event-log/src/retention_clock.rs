//! The time used by retention by age. The wall clock is one witness and may be wrong for a while; the time passed since it was
//! last believed, by the monotonic clock, is another.
//!
//! A wall clock that has advanced by the time passed, and at most a retention's age more, is believed at once: events not due
//! within that age are not lost by it. One that is further ahead is believed after it has stayed there for a while; until then
//! no event is removed that is younger than the age by the time that was believed before. One that goes back is believed: then
//! fewer events are removed.

use std::time::Duration;

use ledgerstone_vfs::Clock;
use parking_lot::Mutex;

/// How long a wall clock that has jumped ahead must stay there; less, if events are kept for less.
const PROOF: Duration = Duration::from_secs(3600);
/// How far apart two readings of the same time may be: clocks are slewed, and read in whole milliseconds.
const SLACK_MS: u64 = 60_000;

/// The clock of one log's retention.
#[derive(Debug)]
pub struct RetentionClock {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    believed: Reading,
    /// The reading of the wall clock since it is ahead of the believed time.
    jumped: Option<Reading>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    wall_ms: u64,
    at: Duration,
}

impl Reading {
    /// What the wall clock would show now if it had run evenly.
    fn now_ms(self, monotonic: Duration) -> u64 {
        let passed = monotonic.saturating_sub(self.at).as_millis();
        self.wall_ms.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }
}

impl RetentionClock {
    /// For a log whose newest event has the timestamp `newest_ms`; 0: there is none, and the wall clock is believed.
    pub fn new(clock: &dyn Clock, newest_ms: u64) -> Self {
        let wall_ms = clock.wall_ms();
        let believed_ms = if newest_ms == 0 { wall_ms } else { newest_ms.min(wall_ms) };
        let believed = Reading { wall_ms: believed_ms, at: clock.monotonic() };
        Self { state: Mutex::new(State { believed, jumped: None }) }
    }

    /// The time against which an age of `max_age_ms` is measured.
    pub fn now_ms(&self, clock: &dyn Clock, max_age_ms: u64) -> u64 {
        let reading = Reading { wall_ms: clock.wall_ms(), at: clock.monotonic() };
        let mut state = self.state.lock();
        let furthest_ms = state.believed.now_ms(reading.at).saturating_add(max_age_ms);
        if reading.wall_ms > furthest_ms.saturating_add(SLACK_MS) {
            let stays = |jumped: &Reading| jumped.now_ms(reading.at).abs_diff(reading.wall_ms) <= SLACK_MS;
            let Some(jumped) = state.jumped.filter(stays) else {
                state.jumped = Some(reading);
                return furthest_ms;
            };
            if reading.at.saturating_sub(jumped.at) < PROOF.min(Duration::from_millis(max_age_ms)) {
                return furthest_ms;
            }
        }
        *state = State { believed: reading, jumped: None };
        reading.wall_ms
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledgerstone_vfs::{Clock, sim::SimClock};

    use super::RetentionClock;

    const DAY: u64 = 86_400_000;
    const START: u64 = 1_000 * DAY;

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let clock = SimClock::new(START);
        let time = RetentionClock::new(&clock, 0);
        for _ in 0..100 {
            clock.advance(Duration::from_millis(DAY * 3));
            assert_eq!(time.now_ms(&clock, DAY), clock.wall_ms());
        }
        for _ in 0..100 {
            clock.set_wall_ms(clock.wall_ms() + DAY + 2);
            assert_eq!(time.now_ms(&clock, DAY), clock.wall_ms(), "hardly further than an age");
        }
    }

    #[test]
    fn a_jump_ahead_takes_nothing_away_until_it_has_stayed() {
        let clock = SimClock::new(START);
        let time = RetentionClock::new(&clock, START);
        clock.set_wall_ms(START + 30 * DAY);
        for _ in 0..59 {
            let now_ms = time.now_ms(&clock, DAY);
            assert!(now_ms <= START + DAY + 3_600_000, "what is of the start is not older than a day: {now_ms}");
            clock.advance(Duration::from_secs(60));
        }
        clock.advance(Duration::from_secs(61));
        assert_eq!(time.now_ms(&clock, DAY), clock.wall_ms());
    }

    #[test]
    fn a_jump_that_is_taken_back_was_none_and_one_that_wanders_proves_nothing() {
        let clock = SimClock::new(START);
        let time = RetentionClock::new(&clock, START);
        clock.set_wall_ms(START + 30 * DAY);
        assert_eq!(time.now_ms(&clock, DAY), START + DAY);
        clock.set_wall_ms(START);
        assert_eq!(time.now_ms(&clock, DAY), START);
        for days in 2..200 {
            clock.advance(Duration::from_secs(1800));
            clock.set_wall_ms(START + days * 40 * DAY);
            assert!(time.now_ms(&clock, DAY) < START + 6 * DAY);
        }
    }

    #[test]
    fn a_clock_that_goes_back_drops_less_and_is_believed_again_later() {
        let clock = SimClock::new(START);
        let time = RetentionClock::new(&clock, START);
        clock.set_wall_ms(START - 30 * DAY);
        assert_eq!(time.now_ms(&clock, DAY), START - 30 * DAY);
        clock.set_wall_ms(START);
        assert!(time.now_ms(&clock, DAY) <= START);
        clock.advance(Duration::from_secs(3601));
        assert_eq!(time.now_ms(&clock, DAY), clock.wall_ms());
    }

    #[test]
    fn a_log_that_was_closed_for_a_month_keeps_its_last_day_for_an_hour() {
        let clock = SimClock::new(START + 30 * DAY);
        let time = RetentionClock::new(&clock, START);
        assert_eq!(time.now_ms(&clock, DAY), START + DAY);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(time.now_ms(&clock, DAY), clock.wall_ms());
    }
}
