//! The client with a daemon that does as the test says.

mod calls;
mod directories;
mod endings;
mod guest;
mod watches;
