//! Clients that take turns, and what came of it.

use std::thread;
use std::time::{Duration, Instant};

use super::case::{Case, Contender};
use super::client::{Client, Work};
use super::processor::ProcessorTime;
use super::setting::Setting;
use crate::figures::Times;

/// Everybody who makes handshakes of one kind.
pub(super) struct Contest<'s>(Vec<Entry<'s>>);

struct Entry<'s> {
    who: Contender,
    clients: Vec<Box<dyn Client + 's>>,
    score: Score,
}

/// What one of them made.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) times: Times,
    /// From the first to the last of each round, in sum.
    took: Duration,
    processor: ProcessorTime,
}

impl<'s> Contest<'s> {
    pub(super) fn new(setting: &'s Setting<'_>, case: &Case) -> Self {
        let wanted = Contender::ALL.into_iter().filter(|who| who.is_wanted());
        let entries = wanted.filter_map(|who| {
            Some(Entry {
                who,
                clients: setting.clients(who, case)?,
                score: Score::default(),
            })
        });
        Self(entries.collect())
    }

    /// In turns, so that what else the machine does meets all alike.
    pub(super) fn run(mut self, rounds: usize, work: Work) -> Vec<(Contender, Score)> {
        for _ in 0..rounds {
            for entry in &mut self.0 {
                entry.round(work);
            }
        }
        let entries = self.0.into_iter();
        entries.map(|entry| (entry.who, entry.score)).collect()
    }
}

impl Entry<'_> {
    /// All clients of one contender at once.
    fn round(&mut self, work: Work) {
        thread::scope(|scope| {
            for client in &mut self.clients {
                scope.spawn(move || client.prepare());
            }
        });
        let (begun, before) = (Instant::now(), ProcessorTime::until_now());
        let all: Vec<Times> = thread::scope(|scope| {
            let clients = self.clients.iter_mut();
            let running: Vec<_> = clients
                .map(|client| scope.spawn(move || client.work(work)))
                .collect();
            let times = running.into_iter().map(|client| client.join());
            times.map(|times| times.expect("it works")).collect()
        });
        self.score.took += begun.elapsed();
        let after = ProcessorTime::until_now();
        self.score.processor.add(&before, &after);
        all.into_iter()
            .for_each(|times| self.score.times.extend(times));
    }
}

impl Score {
    /// Handshakes in a second.
    pub(super) fn rate(&self) -> f64 {
        self.times.count() as f64 / self.took.as_secs_f64()
    }

    /// What the processors do for one handshake, in milliseconds: all programs, or one of them.
    pub(super) fn processor(&self, program: Option<&str>) -> f64 {
        let time = match program {
            Some(program) => self.processor.of(program),
            None => self.processor.total(),
        };
        time.as_secs_f64() * 1_000.0 / self.times.count() as f64
    }
}
