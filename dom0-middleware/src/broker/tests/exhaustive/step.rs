//! What can happen in these worlds.

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
    Establish,
    Fail,
    Free,
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
