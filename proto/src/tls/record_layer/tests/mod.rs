//! The record layer against a mirror of itself, against recorded peers, and against peers that
//! misbehave.

mod closing;
mod construction;
mod data;
mod key_update;
mod limits;
mod misbehaviour;
mod openssl;
mod pair;
mod renegotiation;
mod tickets;
