//! Lets writers enter at the rate at which the flusher drains, from [`Pacing::paced_from_bytes`] on.
//!
//! During a flush the pending bytes may rise from there towards the hard bound: in each half of the expected time of a flush,
//! by half of what is left. So writers start at about the flusher's own rate and never hit the hard bound at full speed,
//! however wrong the expectation is. The bound rises in steps of [`Pacing::SLICE`]; waiting writers look again that often.

use std::time::Duration;

use crate::Pacing;

/// Assumed time per byte before a flush was measured.
const GUESS: Duration = Duration::from_nanos(16);

#[derive(Debug)]
pub(crate) struct Throttle {
    pacing: Pacing,
    /// Expected duration of a flush of `flush_bytes`, a moving mean.
    expected: Duration,
    /// Since when writers are paced, on the clock's monotonic time.
    since: Option<Duration>,
}

fn of_nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl Throttle {
    pub(crate) fn new(pacing: Pacing) -> Self {
        let expected = of_nanos(GUESS.as_nanos() * u128::from(pacing.flush_bytes));
        Self { pacing, expected, since: None }
    }

    /// How many bytes may be pending `now`. Asked when more is pending than writers may add freely.
    pub(crate) fn bound_bytes(&mut self, now: Duration) -> u64 {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_sub(since).as_nanos();
        let elapsed = elapsed - elapsed % Pacing::SLICE.as_nanos();
        let half_life = (self.expected.as_nanos() / 2).max(1);
        let room = self.pacing.pending_bound_bytes() - self.pacing.paced_from_bytes();
        let halvings = u32::try_from(elapsed / half_life).unwrap_or(u32::MAX);
        let left = room.checked_shr(halvings).unwrap_or(0);
        let part = u128::from(left / 2) * (elapsed % half_life) / half_life;
        self.pacing.pending_bound_bytes() - left + u64::try_from(part).unwrap_or(0)
    }

    /// A flush of `bytes` has ended, so pacing starts again. Small flushes say nothing about the rate.
    pub(crate) fn flushed(&mut self, bytes: u64, took: Duration) {
        self.since = None;
        if bytes < self.pacing.flush_bytes / 4 || bytes == 0 {
            return;
        }
        let scaled = took.as_nanos() * u128::from(self.pacing.flush_bytes) / u128::from(bytes);
        self.expected = of_nanos(self.expected.as_nanos().midpoint(scaled));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Throttle;
    use crate::Pacing;

    const PACING: Pacing = Pacing { flush_bytes: 1_000_000, flush_interval: Duration::from_secs(1) };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn half_of_what_is_left_is_let_in_in_each_half_of_a_flush() {
        let mut throttle = Throttle::new(PACING);
        for _ in 0..40 {
            throttle.flushed(2_000_000, ms(320)); // 160 ms for each flush_bytes
        }
        let at: Vec<_> = [100, 180, 260, 340].map(|now| throttle.bound_bytes(ms(now))).to_vec();
        assert_eq!(at, [1_250_000, 1_625_000, 1_812_500, 1_906_250]);
        assert!(throttle.bound_bytes(ms(100_000)) <= 2_000_000);
        throttle.flushed(1_000_000, ms(160));
        assert_eq!(throttle.bound_bytes(ms(200_000)), 1_250_000, "paced anew");
    }

    #[test]
    fn it_rises_in_slices() {
        let mut throttle = Throttle::new(PACING);
        let steps: std::collections::BTreeSet<_> =
            (0..80_000).map(|micros| throttle.bound_bytes(Duration::from_micros(micros))).collect();
        // 80 ms: the first value and one for each slice, for as long as there is a byte left.
        assert_eq!(steps.len(), 20);
    }

    #[test]
    fn small_flushes_tell_nothing_and_no_length_of_time_overflows() {
        let mut throttle = Throttle::new(PACING);
        throttle.flushed(10, Duration::from_secs(3));
        throttle.flushed(0, Duration::ZERO);
        assert_eq!(throttle.expected, ms(16));
        throttle.flushed(u64::MAX, Duration::ZERO);
        throttle.flushed(1_000_000, Duration::MAX);
        throttle.bound_bytes(Duration::ZERO);
        assert!((1_250_000..=2_000_000).contains(&throttle.bound_bytes(Duration::MAX)));
        let mut huge = Throttle::new(Pacing { flush_bytes: u64::MAX / 2, ..PACING });
        huge.bound_bytes(Duration::ZERO);
        huge.bound_bytes(Duration::MAX);
    }
}
