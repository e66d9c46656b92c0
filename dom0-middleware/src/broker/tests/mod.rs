//! The broker, with time, guests and workers played.

mod admission;
mod bench;
mod bench_engines;
mod domains;
mod endings;
mod engines;
mod exhaustive;
mod keys;
mod killing;
mod leases;
mod limits;
mod opening;
mod paces;
mod pool;
mod racs_guests;
mod racs_random;
mod random;
mod resumption;
mod rights;
mod timers;
