//! What the service gives its end of the operator's door.

use tokio::sync::mpsc;

use super::message::AdminAnswer;
use crate::broker::CardView;

/// One answer, or many over time.
#[derive(Debug)]
pub(crate) enum AdminReply {
    /// One.
    Answer(AdminAnswer),
    /// Each card that changes.
    Watch(mpsc::Receiver<CardView>),
}

impl From<AdminAnswer> for AdminReply {
    fn from(answer: AdminAnswer) -> Self {
        Self::Answer(answer)
    }
}
