//! The rules of the locks, told as simply as they can be: for each stripe the list of all who have it or want it, in the order of
//! their coming. Nothing is counted, nothing is kept ready; every question is answered by reading the lists.

use std::collections::VecDeque;

/// A stripe's number, and whether it is wanted alone. In ascending order, each stripe once.
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
    /// How many of the claims it has.
    has: usize,
}

pub(crate) struct Model {
    stripes: Vec<Vec<Entry>>,
    tasks: Vec<Option<Task>>,
}

impl Model {
    pub(crate) fn new(stripes: usize, tasks: usize) -> Self {
        Self { stripes: vec![Vec::new(); stripes], tasks: vec![None; tasks] }
    }

    pub(crate) fn begin(&mut self, task: usize, claims: Claims) {
        self.tasks[task] = Some(Task { claims, has: 0 });
        self.advance(task);
    }

    /// Whether the task has all that it asked for.
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

    /// The task gives back what it has and wants nothing more.
    pub(crate) fn end(&mut self, task: usize) {
        let Some(ended) = self.tasks[task].take() else { return };
        let mut go_on = VecDeque::new();
        for (stripe, _) in ended.claims {
            let list = &mut self.stripes[stripe as usize];
            list.retain(|entry| entry.task != task);
            for place in 0..list.len() {
                if !list[place].has_it && may_have(&list[..place], list[place].alone) {
                    list[place].has_it = true;
                    go_on.push_back(list[place].task);
                }
            }
        }
        while let Some(next) = go_on.pop_front() {
            self.tasks[next].as_mut().unwrap().has += 1;
            self.advance(next);
        }
    }

    fn advance(&mut self, task: usize) {
        let state = self.tasks[task].as_mut().unwrap();
        while let Some((stripe, alone)) = state.claims.get(state.has).copied() {
            let list = &mut self.stripes[stripe as usize];
            let has_it = may_have(list, alone);
            list.push(Entry { task, alone, has_it });
            if !has_it {
                return;
            }
            state.has += 1;
        }
    }
}

/// First come first served: all before have it, and with those it can be shared.
fn may_have(before: &[Entry], alone: bool) -> bool {
    before.iter().all(|entry| entry.has_it && !entry.alone && !alone)
}
