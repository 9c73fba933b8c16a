//! Time that stands still until a test moves it.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::Clock;

/// A clock moved by hand; clones show the same time.
#[derive(Clone, Debug)]
pub struct SimClock {
    times: Arc<Mutex<Times>>,
}

#[derive(Debug)]
struct Times {
    wall: Duration,
    monotonic: Duration,
}

impl SimClock {
    /// A clock whose wall time is `wall_ms` and whose monotonic time is zero.
    pub fn new(wall_ms: u64) -> Self {
        let times = Times { wall: Duration::from_millis(wall_ms), monotonic: Duration::ZERO };
        Self { times: Arc::new(Mutex::new(times)) }
    }

    /// Advances both the wall time and the monotonic time.
    pub fn advance(&self, by: Duration) {
        let mut times = self.times.lock();
        times.wall = times.wall.saturating_add(by);
        times.monotonic = times.monotonic.saturating_add(by);
    }

    /// Sets the wall time, in either direction, as an administrator would. The monotonic time is unchanged.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        self.times.lock().wall = Duration::from_millis(wall_ms);
    }
}

impl Clock for SimClock {
    fn wall_ms(&self) -> u64 {
        u64::try_from(self.times.lock().wall.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.times.lock().monotonic
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::SimClock;
    use crate::Clock;

    #[test]
    fn monotonic_time_never_follows_the_wall() {
        let clock = SimClock::new(5_000);
        clock.advance(Duration::from_millis(20));
        clock.clone().set_wall_ms(1_000);
        clock.advance(Duration::from_micros(500));
        clock.advance(Duration::from_micros(500));
        assert_eq!((clock.wall_ms(), clock.monotonic()), (1_001, Duration::from_millis(21)));
    }
}
