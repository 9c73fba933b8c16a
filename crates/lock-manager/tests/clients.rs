//! What clients are notified of and what they cannot do; many of them at once on real threads.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's own code stops where it finds something wrong"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ledgerstone_lock_manager::{
    Acquired, GiveUp, Listener, LockClient, LockManager, LockSet, MAX_STRIPES, Mode, Otherwise, Token, Unheard,
};
use ledgerstone_vfs::{Clock, SystemClock};
use parking_lot::{Condvar, Mutex};

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
struct ScriptedClock(Mutex<Duration>);

impl Clock for ScriptedClock {
    fn wall_ms(&self) -> u64 {
        0
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock()
    }
}

fn set_of(manager: &LockManager, claims: &[(u32, Mode)]) -> LockSet {
    let mut set = LockSet::default();
    for (stripe, mode) in claims {
        set.add(manager.stripe(*stripe).unwrap(), *mode);
    }
    set
}

fn granted(answer: Acquired) -> Token {
    match answer {
        Acquired::Granted(token) => token,
        other => panic!("{other:?}"),
    }
}

fn waiting(answer: Acquired) -> Token {
    match answer {
        Acquired::Waiting(token) => token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_number_of_stripes_is_a_power_of_two_up_to_a_limit() {
    let clock = Arc::new(SystemClock::new());
    for refused in [0, 3, 16_383, MAX_STRIPES * 2, u64::MAX] {
        assert!(LockManager::new(refused, Arc::clone(&clock) as Arc<_>).is_none(), "{refused}");
    }
    for stripes in [1, 2, 16_384, MAX_STRIPES] {
        assert_eq!(LockManager::new(stripes, Arc::clone(&clock) as Arc<_>).unwrap().stats().stripes, stripes);
    }
}

#[test]
fn a_name_has_one_stripe_of_its_manager_and_names_are_spread() {
    let manager = LockManager::new(256, Arc::new(SystemClock::new())).unwrap();
    let stripes: Vec<_> = (0..10_000_u32).map(|name| manager.stripe_of(&name.to_le_bytes())).collect();
    assert!((0..10_000_u32).all(|name| manager.stripe_of(&name.to_le_bytes()) == stripes[name as usize]));
    let mut counts = [0_u32; 256];
    for stripe in &stripes {
        counts[stripe.number() as usize] += 1;
    }
    // 39 are expected on each; the chance of a deviation like this is below 1 in 10^12.
    assert!(counts.iter().all(|count| (1..=100).contains(count)), "{counts:?}");
    let other = LockManager::new(256, Arc::new(SystemClock::new())).unwrap();
    assert!((0..10_000_u32).any(|name| other.stripe_of(&name.to_le_bytes()) != stripes[name as usize]), "seeded");
}

#[test]
fn times_are_told_to_those_who_were_blocked_and_counted() {
    let clock = Arc::new(ScriptedClock::default());
    let at = |ms| *clock.0.lock() = Duration::from_millis(ms);
    let manager = Arc::new(LockManager::new(8, Arc::clone(&clock) as Arc<_>).unwrap());
    let (first, second) = (manager.client(Arc::new(Unheard)), manager.client(Arc::new(Unheard)));
    at(100);
    let held = granted(first.acquire(&mut set_of(&manager, &[(3, Mode::Exclusive)]), Otherwise::Wait));
    let mut both = set_of(&manager, &[(2, Mode::Exclusive), (3, Mode::Shared)]);
    at(130);
    let Acquired::Refused(blocked) = second.acquire(&mut both, Otherwise::TimeOut) else { panic!("it is held") };
    assert_eq!((blocked.stripe, blocked.held, blocked.waited), (3, Duration::from_millis(30), Duration::ZERO));
    let waits = waiting(second.acquire(&mut both, Otherwise::Wait));
    assert_eq!((first.held(held), second.held(waits)), (Some(Duration::from_millis(30)), None));
    at(180);
    let blocked = second.withdraw(waits, GiveUp::TimeOut).blocked.unwrap();
    assert_eq!((blocked.stripe, blocked.held.as_millis(), blocked.waited.as_millis()), (3, 80, 50));
    let waits = waiting(second.acquire(&mut both, Otherwise::Wait));
    at(200);
    assert!(first.release(held).released);
    assert_eq!(second.withdraw(waits, GiveUp::TimeOut).blocked, None, "a grant that came before stands");
    at(450);
    assert!(second.release(waits).released);
    let stats = manager.stats();
    assert_eq!((stats.held, stats.waiting, stats.acquired, stats.contended, stats.timeouts), (0, 0, 2, 3, 2));
    assert_eq!((stats.longest_wait.as_millis(), stats.longest_hold.as_millis()), (50, 250));
}

#[test]
fn nobody_releases_what_is_anothers_nor_by_a_stale_token() {
    let manager = Arc::new(LockManager::new(8, Arc::new(SystemClock::new())).unwrap());
    let (first, second) = (manager.client(Arc::new(Unheard)), manager.client(Arc::new(Unheard)));
    let mut set = set_of(&manager, &[(1, Mode::Exclusive)]);
    let stale = granted(first.acquire(&mut set, Otherwise::Refuse));
    assert!(!second.release(stale).released);
    assert!(first.release(stale).released);
    let held = granted(first.acquire(&mut set, Otherwise::Refuse));
    assert_ne!(held, stale);
    for token in [stale, Token::from_number(0), Token::from_number(u64::MAX), Token::from_number(1 << 20)] {
        assert!(!first.release(token).released && first.held(token).is_none(), "{token:?}");
        assert_eq!(first.withdraw(token, GiveUp::Abort).blocked, None);
    }
    assert!(matches!(second.acquire(&mut set, Otherwise::Refuse), Acquired::Refused(_)), "still held");
    assert!(first.release(held).released);
}

#[test]
fn a_client_that_goes_gives_back_all_and_those_who_waited_for_it_go_on() {
    let manager = Arc::new(LockManager::new(8, Arc::new(SystemClock::new())).unwrap());
    let bell = Arc::new(Bell::default());
    let other = manager.client(Arc::clone(&bell) as Arc<_>);
    let mut low = set_of(&manager, &[(1, Mode::Exclusive)]);
    let mut high = set_of(&manager, &[(1, Mode::Exclusive), (5, Mode::Exclusive)]);
    let mut five = set_of(&manager, &[(5, Mode::Shared)]);
    let goes = manager.client(Arc::new(Unheard));
    granted(goes.acquire(&mut low, Otherwise::Wait));
    waiting(goes.acquire(&mut high, Otherwise::Wait)); // behind itself
    let third = waiting(other.acquire(&mut high, Otherwise::Wait));
    drop(goes);
    assert!(other.held(third).is_some() && *bell.rung.lock());
    assert!(matches!(other.acquire(&mut five, Otherwise::Refuse), Acquired::Refused(_)));
    let stats = manager.stats();
    assert_eq!((stats.held, stats.waiting), (1, 0));
}

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Listener for Bell {
    fn granted(&self) {
        *self.rung.lock() = true;
        self.changed.notify_all();
    }
}

/// How a thread waits: until its bell has rung or, if it is impatient, for a short time.
fn wait_for(client: &LockClient, bell: &Bell, token: Token, patience: Duration) -> bool {
    let mut has_it = false;
    loop {
        client.take_grants(|granted| {
            has_it |= granted == token;
            true
        });
        if has_it {
            return true;
        }
        let mut rung = bell.rung.lock();
        if !*rung && bell.changed.wait_for(&mut rung, patience).timed_out() {
            return false;
        }
        *rung = false;
    }
}

#[test]
fn threads_exclude_each_other_and_no_wake_up_is_lost() {
    const STRIPES: u32 = 16;
    const FOR_EVER: Duration = Duration::from_secs(60);
    let manager = Arc::new(LockManager::new(u64::from(STRIPES), Arc::new(SystemClock::new())).unwrap());
    // For each stripe: -1 if exclusive, otherwise the number of shared holders.
    let inside: Arc<Vec<AtomicI64>> = Arc::new((0..STRIPES).map(|_| AtomicI64::new(0)).collect());
    let work = |thread: u64| {
        let (manager, inside) = (Arc::clone(&manager), Arc::clone(&inside));
        let run = move || {
            let bell = Arc::new(Bell::default());
            let client = manager.client(Arc::clone(&bell) as Arc<_>);
            let mut seed = thread + 1;
            let mut random = |end: u64| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) % end
            };
            for _ in 0..5_000 {
                let mut claims: Vec<(u32, Mode)> = (0..=random(3))
                    .map(|_| {
                        let mode = if random(2) == 0 { Mode::Shared } else { Mode::Exclusive };
                        (u32::try_from(random(u64::from(STRIPES))).unwrap(), mode)
                    })
                    .collect();
                claims.sort_unstable_by_key(|(stripe, mode)| (*stripe, *mode == Mode::Shared));
                claims.dedup_by_key(|(stripe, _)| *stripe);
                let impatient = random(4) == 0;
                let token = match client.acquire(&mut set_of(&manager, &claims), Otherwise::Wait) {
                    Acquired::Granted(token) => token,
                    Acquired::Waiting(token) => {
                        let patience = if impatient { Duration::from_micros(20) } else { FOR_EVER };
                        if !wait_for(&client, &bell, token, patience) {
                            assert!(impatient, "a wake-up was lost");
                            // This releases a grant that came in between.
                            client.withdraw(token, GiveUp::Abort);
                            continue;
                        }
                        token
                    }
                    other => panic!("{other:?}"),
                };
                for (stripe, mode) in &claims {
                    let before = match mode {
                        Mode::Exclusive => inside[*stripe as usize].fetch_sub(1, Ordering::SeqCst),
                        Mode::Shared => inside[*stripe as usize].fetch_add(1, Ordering::SeqCst),
                    };
                    assert!(before == 0 || (*mode == Mode::Shared && before > 0), "not alone with stripe {stripe}");
                }
                if random(8) == 0 {
                    // So that others meet a held set, even if all threads share one processor.
                    std::thread::yield_now();
                }
                for (stripe, mode) in &claims {
                    let step = if *mode == Mode::Exclusive { 1 } else { -1 };
                    inside[*stripe as usize].fetch_add(step, Ordering::SeqCst);
                }
                assert!(client.release(token).released);
            }
        };
        std::thread::Builder::new().spawn(run).unwrap()
    };
    for thread in (0..6).map(work).collect::<Vec<_>>() {
        thread.join().unwrap();
    }
    let stats = manager.stats();
    assert_eq!((stats.held, stats.waiting), (0, 0));
    assert!(stats.contended > 0);
}
