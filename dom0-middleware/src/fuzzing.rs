//! Doors for fuzz targets to what reads hostile bytes and is private.

pub use crate::audit::fuzzing::{audit_lines, chained_audit_lines};
pub use crate::card::vicc::fuzzing::virtual_card;
pub use crate::tokens::fuzzing::enrolment;
pub use crate::xen::fuzzing::nodes;
