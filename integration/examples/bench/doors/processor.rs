//! What the processors do for handshakes, by program.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Processor time, in user space and in the kernel, by the name of the program.
#[derive(Debug, Default, Clone)]
pub(super) struct ProcessorTime(BTreeMap<String, Duration>);

/// What one process has used so far, and whose child it is.
struct Used {
    pid: u32,
    parent: u32,
    program: String,
    time: Duration,
}

impl ProcessorTime {
    /// What this program and those that it started have used until now.
    pub(super) fn until_now() -> Self {
        let all = processes();
        let mut ours = vec![std::process::id()];
        let mut next = 0;
        while let Some(&parent) = ours.get(next) {
            let children = all.iter().filter(|process| process.parent == parent);
            ours.extend(children.map(|process| process.pid));
            next += 1;
        }
        let mut sum = Self::default();
        for process in all.into_iter().filter(|one| ours.contains(&one.pid)) {
            *sum.0.entry(process.program).or_default() += process.time;
        }
        sum
    }

    /// Adds what was used from `begin` to `end`.
    pub(super) fn add(&mut self, begin: &Self, end: &Self) {
        for (program, time) in &end.0 {
            let before = begin.0.get(program).copied().unwrap_or_default();
            *self.0.entry(program.clone()).or_default() += time.saturating_sub(before);
        }
    }

    /// That of one program.
    pub(super) fn of(&self, program: &str) -> Duration {
        self.0.get(program).copied().unwrap_or_default()
    }

    /// That of all.
    pub(super) fn total(&self) -> Duration {
        self.0.values().sum()
    }
}

/// All that run now; one that ends meanwhile may be left out.
fn processes() -> Vec<Used> {
    let entries = fs::read_dir("/proc").expect("Linux");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(used).collect()
}

/// `pid (program) state parent …`; the 14th and the 15th field are hundredths of a second.
fn used(pid: u32) -> Option<Used> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (begin, rest) = stat.rsplit_once(')')?;
    let (_, program) = begin.split_once('(')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Used {
        pid,
        parent: number(1)?.try_into().ok()?,
        program: program.to_owned(),
        time: Duration::from_millis(10 * (number(11)? + number(12)?)),
    })
}
