//! Every order in which small programs can run, and long random ones, compared with the simple rules in `support`. All of the
//! kernel's operations are single steps under one mutex, so the orders of whole operations are all orders that threads can produce.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's own code stops where it finds something wrong"
)]

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ledgerstone_lock_manager::{
    Acquired, GiveUp, Listener, LockClient, LockManager, LockSet, Mode, Otherwise, Token, Unheard,
};
use ledgerstone_vfs::SystemClock;
use support::{Claims, Model};

/// How a task ends, whether its set has been granted by then or not.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// It fetches the grant and releases it; a set that is not granted is given up because its time is over.
    Release,
    /// It is aborted: a grant that it has not fetched must not be lost.
    Abort,
    /// Its client is dropped.
    Leave,
}
const ENDINGS: [Ending; 3] = [Ending::Release, Ending::Abort, Ending::Leave];

struct Task {
    client: Option<LockClient>,
    token: Option<Token>,
}

/// The kernel and the model, doing the same operations.
struct Pair {
    manager: Arc<LockManager>,
    tasks: Vec<Task>,
    model: Model,
    set: LockSet,
}

impl Pair {
    fn new(clock: &Arc<SystemClock>, stripes: u32, tasks: usize) -> Self {
        let manager = Arc::new(LockManager::new(u64::from(stripes), Arc::clone(clock) as Arc<_>).unwrap());
        let tasks_of = |_| Task { client: Some(manager.client(Arc::new(Unheard))), token: None };
        let model = Model::new(stripes as usize, tasks);
        Self { tasks: (0..tasks).map(tasks_of).collect(), model, set: LockSet::default(), manager }
    }

    fn begin(&mut self, task: usize, claims: &Claims) {
        self.set.clear();
        // In reverse order: the kernel sorts them itself.
        for (stripe, alone) in claims.iter().rev() {
            let mode = if *alone { Mode::Exclusive } else { Mode::Shared };
            self.set.add(self.manager.stripe(*stripe).unwrap(), mode);
        }
        self.model.begin(task, claims.clone());
        let client = self.tasks[task].client.get_or_insert_with(|| self.manager.client(Arc::new(Unheard)));
        self.tasks[task].token = match client.acquire(&mut self.set, Otherwise::Wait) {
            Acquired::Granted(token) => {
                assert!(self.model.is_granted(task), "task {task} was granted what others have");
                Some(token)
            }
            Acquired::Waiting(token) => {
                assert!(self.model.is_waiting(task), "task {task} waits for nothing");
                Some(token)
            }
            other => panic!("{other:?}"),
        };
    }

    fn end(&mut self, task: usize, ending: Ending) {
        let was_granted = self.model.is_granted(task);
        self.model.end(task);
        let Task { client, token } = &mut self.tasks[task];
        let (the_client, token) = (client.as_ref().unwrap(), token.take().unwrap());
        match ending {
            Ending::Release => {
                assert_eq!(the_client.withdraw(token, GiveUp::TimeOut).blocked.is_none(), was_granted);
                the_client.take_grants(|granted| {
                    assert_eq!(granted, token);
                    true
                });
                assert_eq!(the_client.release(token).released, was_granted, "released once");
                assert!(!the_client.release(token).released, "and not twice");
            }
            Ending::Abort => {
                assert_eq!(the_client.withdraw(token, GiveUp::Abort).blocked.is_none(), was_granted);
                the_client.take_grants(|granted| panic!("{granted:?} was granted to nobody"));
                assert!(!the_client.release(token).released);
            }
            Ending::Leave => *client = None,
        }
    }

    fn check(&self) {
        self.model.assert_nobody_was_overtaken();
        for (place, task) in self.tasks.iter().enumerate() {
            let (Some(client), Some(token)) = (&task.client, task.token) else { continue };
            assert_eq!(client.held(token).is_some(), self.model.is_granted(place), "task {place}");
        }
        let stats = self.manager.stats();
        assert_eq!((stats.held, stats.waiting), (self.model.held(), self.model.waiting()));
    }

    /// No client has left anything: all stripes are free.
    fn check_idle(&mut self) {
        let stats = self.manager.stats();
        assert_eq!((stats.held, stats.waiting), (0, 0));
        self.set.clear();
        for stripe in 0..u32::try_from(stats.stripes).unwrap() {
            self.set.add(self.manager.stripe(stripe).unwrap(), Mode::Exclusive);
        }
        let everybody = self.manager.client(Arc::new(Unheard));
        assert!(matches!(everybody.acquire(&mut self.set, Otherwise::Refuse), Acquired::Granted(_)));
    }
}

/// Every combination of wanted stripes.
fn all_sets(stripes: u32) -> Vec<Claims> {
    let ways = 3_usize.pow(stripes);
    let set = |mut way: usize| {
        let mut claims = Claims::new();
        for stripe in 0..stripes {
            match way % 3 {
                0 => {}
                how => claims.push((stripe, how == 2)),
            }
            way /= 3;
        }
        claims
    };
    (1..ways).map(set).collect()
}

/// Every order of `tasks` times two steps: each task's first step is its beginning, its second its end.
fn all_orders(tasks: usize) -> Vec<Vec<usize>> {
    fn extend(left: &mut Vec<usize>, order: &mut Vec<usize>, orders: &mut Vec<Vec<usize>>) {
        if order.len() == left.len() * 2 {
            orders.push(order.clone());
        }
        for task in 0..left.len() {
            if left[task] > 0 {
                left[task] -= 1;
                order.push(task);
                extend(left, order, orders);
                order.pop();
                left[task] += 1;
            }
        }
    }
    let mut orders = Vec::new();
    extend(&mut vec![2; tasks], &mut Vec::new(), &mut orders);
    orders
}

/// Every choice of sets for the tasks; their assignment does not matter, since all orders are tried.
fn all_choices(sets: usize, tasks: usize) -> Vec<Vec<usize>> {
    let mut choices = vec![Vec::new()];
    for _ in 0..tasks {
        let longer = |choice: Vec<usize>| {
            let from = choice.last().copied().unwrap_or(0);
            (from..sets).map(move |set| [choice.as_slice(), &[set]].concat())
        };
        choices = choices.into_iter().flat_map(longer).collect();
    }
    choices
}

fn try_everything(stripes: u32, tasks: usize) -> u64 {
    let clock = Arc::new(SystemClock::new());
    let (sets, orders) = (all_sets(stripes), all_orders(tasks));
    let mut runs = 0;
    for choice in all_choices(sets.len(), tasks) {
        for order in &orders {
            // The kernel has as many stripes as the next power of two; the others stay free.
            let mut pair = Pair::new(&clock, stripes.next_power_of_two(), tasks);
            let mut begun = vec![false; tasks];
            for task in order {
                if std::mem::replace(&mut begun[*task], true) {
                    pair.end(*task, ENDINGS[(task + runs) % ENDINGS.len()]);
                } else {
                    pair.begin(*task, &sets[choice[*task]]);
                }
                pair.check();
            }
            pair.check_idle();
            runs += 1;
        }
    }
    runs as u64
}

#[test]
fn three_tasks_on_three_stripes_in_every_order() {
    assert_eq!(try_everything(3, 3), 3_276 * 90);
}

#[test]
fn four_tasks_on_two_stripes_in_every_order() {
    assert_eq!(try_everything(2, 4), 330 * 2_520);
}

/// A small generator (splitmix64): the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[test]
fn random_sets_are_granted_as_the_rules_say_and_never_dead_lock() {
    const TASKS: usize = 24;
    const STRIPES: u32 = 16;
    let clock = Arc::new(SystemClock::new());
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut pair = Pair::new(&clock, STRIPES, TASKS);
        for _ in 0..1_000 {
            let task = usize::try_from(random.below(TASKS as u64)).unwrap();
            if pair.tasks[task].token.is_some() {
                let ending = ENDINGS[usize::try_from(random.below(3)).unwrap()];
                // Most waiting tasks keep waiting.
                if pair.model.is_granted(task) || random.below(8) == 0 {
                    pair.end(task, ending);
                }
            } else {
                let wanted = 1 + random.below(6);
                let mut claims = Claims::new();
                for stripe in 0..STRIPES {
                    if random.below(u64::from(STRIPES)) < wanted {
                        claims.push((stripe, random.below(2) == 0));
                    }
                }
                pair.begin(task, &claims);
            }
            pair.check();
        }
        // No task gives up: the holders release until all have had their turn.
        while let Some(task) = (0..TASKS).find(|task| pair.model.is_granted(*task)) {
            pair.end(task, Ending::Release);
            pair.check();
        }
        assert_eq!(pair.model.waiting(), 0, "seed {seed}: those that are left wait for each other");
        pair.check_idle();
    }
}

/// A wide set among an endless stream of narrow ones: it is granted after those that came before it, and no others.
///
/// Bug: a set took its stripes one after another and was in one queue at a time, so later narrow sets overtook it on each
/// stripe that it had not reached. Mechanism: first come first served held for each stripe, but was promised for sets. Fix: a
/// set enters all of its stripes in the step in which it arrives.
#[test]
fn a_wide_set_waits_for_those_before_it_and_for_nobody_else() {
    const STRIPES: u32 = 16;
    let manager = Arc::new(LockManager::new(u64::from(STRIPES), Arc::new(SystemClock::new())).unwrap());
    let client = manager.client(Arc::new(Unheard));
    for seed in 0..50 {
        let mut random = Random(seed);
        let ask = |stripes: std::ops::Range<u32>| {
            let mut set = LockSet::default();
            stripes.for_each(|stripe| set.add(manager.stripe(stripe).unwrap(), Mode::Exclusive));
            match client.acquire(&mut set, Otherwise::Wait) {
                Acquired::Granted(token) => (token, true),
                Acquired::Waiting(token) => (token, false),
                other => panic!("{other:?}"),
            }
        };
        let mut held = Vec::new();
        let mut ahead = 0;
        for _ in 0..40 {
            let stripe = u32::try_from(random.below(u64::from(STRIPES))).unwrap();
            let (token, is_granted) = ask(stripe..stripe + 1);
            ahead += 1;
            if is_granted {
                held.push(token);
            }
        }
        let (wide, is_granted) = ask(0..STRIPES);
        assert!(!is_granted);
        let mut ended = 0;
        loop {
            // Each one that ends is followed by two others.
            for _ in 0..2 {
                let stripe = u32::try_from(random.below(u64::from(STRIPES))).unwrap();
                assert!(!ask(stripe..stripe + 1).1, "seed {seed}: it came behind the wide set");
            }
            let place = usize::try_from(random.below(held.len() as u64)).unwrap();
            assert!(client.release(held.swap_remove(place)).released);
            ended += 1;
            client.take_grants(|token| {
                held.push(token);
                true
            });
            if held.contains(&wide) {
                break;
            }
        }
        assert_eq!((ended, held.len()), (ahead, 1), "seed {seed}");
        while let Some(token) = held.pop() {
            assert!(client.release(token).released);
            client.take_grants(|token| {
                held.push(token);
                true
            });
        }
        assert_eq!(manager.stats().waiting, 0);
    }
}

struct Bell(AtomicU64);

impl Listener for Bell {
    fn granted(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_client_is_told_once_until_it_has_looked_and_again_after_that() {
    let manager = Arc::new(LockManager::new(4, Arc::new(SystemClock::new())).unwrap());
    let bell = Arc::new(Bell(AtomicU64::new(0)));
    let (holder, waiter) = (manager.client(Arc::new(Unheard)), manager.client(Arc::clone(&bell) as Arc<_>));
    let mut set = LockSet::default();
    set.add(manager.stripe(0).unwrap(), Mode::Exclusive);
    let mut first = LockSet::default();
    let mut second = LockSet::default();
    for (set, stripe) in [(&mut first, 1), (&mut second, 2)] {
        set.add(manager.stripe(stripe).unwrap(), Mode::Exclusive);
    }
    for round in 0..3 {
        let tokens = [&mut first, &mut second].map(|set| match holder.acquire(set, Otherwise::Wait) {
            Acquired::Granted(token) => token,
            other => panic!("{other:?}"),
        });
        let waiting = [&mut first, &mut second].map(|set| match waiter.acquire(set, Otherwise::Wait) {
            Acquired::Waiting(token) => token,
            other => panic!("{other:?}"),
        });
        assert!(tokens.iter().all(|token| holder.release(*token).released));
        assert_eq!(bell.0.load(Ordering::Relaxed), round * 2 + 1, "two grants, one call");
        // Aborted before they were fetched: the mailbox is empty, so the next grant is announced again.
        assert!(waiting.iter().all(|token| waiter.withdraw(*token, GiveUp::Abort).blocked.is_none()));
        let Acquired::Granted(held) = holder.acquire(&mut set, Otherwise::Wait) else { panic!("it is free") };
        let Acquired::Waiting(last) = waiter.acquire(&mut set, Otherwise::Wait) else { panic!("it is held") };
        assert!(holder.release(held).released);
        assert_eq!(bell.0.load(Ordering::Relaxed), round * 2 + 2);
        let mut fetched = Vec::new();
        waiter.take_grants(|token| {
            fetched.push(token);
            true
        });
        assert_eq!(fetched, [last]);
        assert!(waiter.release(last).released);
    }
    // Only the answer reports what a client's own release grants to it.
    let Acquired::Granted(held) = waiter.acquire(&mut set, Otherwise::Wait) else { panic!("it is free") };
    let Acquired::Waiting(_) = waiter.acquire(&mut set, Otherwise::Wait) else { panic!("it is held") };
    assert!(waiter.release(held).own_grants);
    assert_eq!(bell.0.load(Ordering::Relaxed), 6);
}
