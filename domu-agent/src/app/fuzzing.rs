//! What an application could ask.

use super::allow::DestinationPattern;
use super::destination::Destination;
use super::plan::Plan;
use super::request::Request;

pub(crate) use super::line::{Line, LineReader};

/// Reads one line as a request and, if it is one for a connection, plans it.
pub(crate) fn request(line: &[u8]) {
    let Ok(request) = Request::parse(line) else {
        return;
    };
    let again = request.to_line();
    let again = again.strip_suffix('\n').expect("ends the line");
    assert_eq!(Request::parse(again.as_bytes()).as_ref(), Ok(&request));
    if let Request::Connect(connect) = request
        && let Ok(plan) = Plan::try_from(*connect)
    {
        let _ = plan.wish();
    }
}

/// Reads a destination and a pattern that may allow it.
pub fn destination(pattern: &str, destination: &str) {
    let Ok(destination) = destination.parse::<Destination>() else {
        return;
    };
    let again: Destination = destination.to_string().parse().expect("just shown");
    assert_eq!(again, destination);
    let everywhere: DestinationPattern = "*:*".parse().expect("a pattern");
    assert!(everywhere.fits(&destination));
    if let Ok(pattern) = pattern.parse::<DestinationPattern>() {
        let _ = pattern.fits(&destination);
    }
    // What can be asked for can be allowed, and is by itself.
    let exactly: DestinationPattern = destination.to_string().parse().expect("its own name");
    assert!(exactly.fits(&destination));
}
