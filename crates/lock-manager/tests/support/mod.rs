//! The rules of the locks in their simplest form: for each stripe the list of all that hold it or want it, in the order of
//! arrival. Nothing is counted or cached; every question is answered by reading the lists.

/// A stripe's number, and whether it is wanted exclusively. In ascending order, each stripe once.
pub(crate) type Claims = Vec<(u32, bool)>;

#[derive(Clone, Debug)]
struct Entry {
    task: usize,
    alone: bool,
    has_it: bool,
}

#[derive(Clone, Debug, Default)]
struct Task {
    claims: Claims,
    /// How many of the claims are granted.
    has: usize,
    /// Its number in the order of arrival.
    came: u64,
}

pub(crate) struct Model {
    stripes: Vec<Vec<Entry>>,
    tasks: Vec<Option<Task>>,
    came: u64,
}

impl Model {
    pub(crate) fn new(stripes: usize, tasks: usize) -> Self {
        Self { stripes: vec![Vec::new(); stripes], tasks: vec![None; tasks], came: 0 }
    }

    pub(crate) fn begin(&mut self, task: usize, claims: Claims) {
        let mut has = 0;
        for (stripe, alone) in &claims {
            let list = &mut self.stripes[*stripe as usize];
            let has_it = may_have(list, *alone);
            list.push(Entry { task, alone: *alone, has_it });
            has += usize::from(has_it);
        }
        self.came += 1;
        self.tasks[task] = Some(Task { claims, has, came: self.came });
    }

    /// The promise, for sets: no set is granted completely while an earlier one waits for one of its stripes, unless both share
    /// all stripes that they have in common.
    pub(crate) fn assert_nobody_was_overtaken(&self) {
        let conflict = |one: &Task, other: &Task| {
            one.claims.iter().any(|(stripe, alone)| {
                other.claims.iter().any(|(others, others_alone)| stripe == others && (*alone || *others_alone))
            })
        };
        let tasks = || self.tasks.iter().flatten();
        for waiting in tasks().filter(|task| task.has < task.claims.len()) {
            for granted in tasks().filter(|task| task.has == task.claims.len()) {
                let overtook = granted.came > waiting.came && conflict(granted, waiting);
                assert!(!overtook, "{:?} was granted before {:?}", granted.claims, waiting.claims);
            }
        }
    }

    /// Whether the task holds its whole set.
    pub(crate) fn is_granted(&self, task: usize) -> bool {
        self.tasks[task].as_ref().is_some_and(|task| task.has == task.claims.len())
    }

    pub(crate) fn is_waiting(&self, task: usize) -> bool {
        self.tasks[task].is_some() && !self.is_granted(task)
    }

    pub(crate) fn held(&self) -> u64 {
        (0..self.tasks.len()).filter(|task| self.is_granted(*task)).count() as u64
    }

    pub(crate) fn waiting(&self) -> u64 {
        (0..self.tasks.len()).filter(|task| self.is_waiting(*task)).count() as u64
    }

    /// The task releases what it holds and wants nothing more.
    pub(crate) fn end(&mut self, task: usize) {
        let Some(ended) = self.tasks[task].take() else { return };
        for (stripe, _) in ended.claims {
            let list = &mut self.stripes[stripe as usize];
            list.retain(|entry| entry.task != task);
            for place in 0..list.len() {
                if !list[place].has_it && may_have(&list[..place], list[place].alone) {
                    list[place].has_it = true;
                    self.tasks[list[place].task].as_mut().unwrap().has += 1;
                }
            }
        }
    }
}

/// First come first served: all before it hold the stripe, and it can be shared with them.
fn may_have(before: &[Entry], alone: bool) -> bool {
    before.iter().all(|entry| entry.has_it && !entry.alone && !alone)
}
