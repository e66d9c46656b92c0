//! What can happen in these worlds.

use crate::card::Door;

/// Which events a search is about, besides those that every handshake has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Guests close their sessions and leave.
    Plain,
    /// The card leaves, becomes unusable, comes back.
    Card,
    /// Bindings and domains end, and nobody knows who is behind a domid.
    Rights,
    /// Timers go off.
    Time,
}

/// What a search is about, and with which kind of card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) alphabet: Alphabet,
    pub(super) door: Door,
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Open(usize),
    Close(usize),
    Disconnect(usize),
    /// The guest brings what the server says.
    Records(usize),
    /// One of the questions who is behind a domid is answered.
    Read(usize, Answer),
    Worker(Work),
    /// The engine of a session does something.
    Engine(usize, EngineWork),
    Card(Change),
    Unbind(usize),
    /// A guest's token is revoked.
    Revoke(usize),
    DomainEnded(usize),
    /// The next timer goes off.
    Timer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Who it always was, or that it is gone, whichever is so.
    True,
    Unreadable,
}

/// What a worker does with its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// It has the card's ClientHello and waits for the server.
    Speak,
    /// It has the keys, or the signature.
    Establish,
    Fail,
    Free,
}

/// What the engine of a session does, where the service makes the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineWork {
    /// It has the ClientHello.
    Speak,
    WantSignature,
    Establish,
    Fail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It leaves; a use that runs fails first.
    Gone,
    /// It leaves before the worker has seen the order that is on its way to it.
    GoneUnseen,
    Unusable,
    Back,
}
