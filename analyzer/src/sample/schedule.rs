//! When samples are due.

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use std::time::Duration;

/// Points of time, one at random within each period: programs that do things regularly are met in all of them, and no
/// delay adds up.
pub(super) struct Schedule {
    /// On the monotonic clock.
    start: Duration,
    period: Duration,
    /// The number of the period of the next sample.
    next: u32,
    /// No sample is due before, on the monotonic clock.
    not_before: Duration,
    /// Never 0.
    random: u64,
}

/// What became of waiting for the next sample.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is time for it; so many before it were missed, as their periods are over.
    Now {
        /// How many.
        missed: u64,
    },
    /// A signal came in between.
    Interrupted,
}

impl Schedule {
    /// From now on, `rate` times a second.
    pub(super) fn new(rate: u32) -> Self {
        let start = now();
        let period = Duration::from_secs(1) / rate.max(1);
        Schedule { start, period, next: 0, not_before: start, random: start.as_nanos() as u64 | 1 }
    }

    /// Leaves out the samples that are due within `time` from now, which count as missed.
    pub(super) fn rest(&mut self, time: Duration) {
        self.not_before = now() + time;
    }

    /// How long ago it began.
    pub(super) fn elapsed(&self) -> Duration {
        now().saturating_sub(self.start)
    }

    /// Waits until the next sample is due.
    pub(super) fn wait(&mut self) -> Due {
        let mut missed = 0;
        let earliest = now().max(self.not_before).saturating_sub(self.start);
        let current = u32::try_from(earliest.as_nanos() / self.period.as_nanos().max(1)).unwrap_or(u32::MAX);
        if current > self.next {
            missed = u64::from(current - self.next);
            self.next = current;
        }
        let within = self.period.mul_f64(self.fraction());
        let due = self.start + self.period.saturating_mul(self.next) + within;
        let slept = clock_nanosleep(
            ClockId::CLOCK_MONOTONIC,
            ClockNanosleepFlags::TIMER_ABSTIME,
            &TimeSpec::from_duration(due),
        );
        if slept == Err(Errno::EINTR) {
            return Due::Interrupted;
        }
        self.next = self.next.saturating_add(1);
        Due::Now { missed }
    }

    /// At least 0, less than 1; evenly spread (xorshift64*, G. Marsaglia and S. Vigna).
    fn fraction(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_delay_adds_up_and_who_is_late_misses_periods() {
        let mut schedule = Schedule::new(1000);
        let mut taken = 0;
        let mut missed = 0;
        while taken + missed < 50 {
            if taken == 20 {
                std::thread::sleep(Duration::from_millis(10));
            }
            match schedule.wait() {
                Due::Now { missed: late } => {
                    taken += 1;
                    missed += late;
                }
                Due::Interrupted => {}
            }
            assert!(schedule.elapsed() >= Duration::from_millis(taken + missed - 1));
        }
        assert!(missed >= 8, "{missed}");
    }

    #[test]
    fn who_rests_misses_what_was_due() {
        let mut schedule = Schedule::new(1000);
        assert_eq!(schedule.wait(), Due::Now { missed: 0 });
        schedule.rest(Duration::from_millis(20));
        let Due::Now { missed } = schedule.wait() else { panic!("interrupted") };
        assert!(missed >= 19, "{missed}");
        assert!(schedule.elapsed() >= Duration::from_millis(19));
    }

    #[test]
    fn times_are_spread_over_the_period() {
        let mut schedule = Schedule::new(100);
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            tenths[(schedule.fraction() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|&tenth| (850..1150).contains(&tenth)), "{tenths:?}");
    }
}
