//! What a running program takes: memory and descriptors.

use std::fs;

/// Bytes in a mebibyte.
pub const MIB: f64 = 1_048_576.0;

/// What a program takes at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Footprint {
    /// Memory that it really has (`VmRSS`), in bytes.
    pub resident: f64,
    /// The most that it ever had (`VmHWM`), in bytes.
    pub peak: f64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Footprint {
    /// Of the process with this number.
    ///
    /// # Panics
    /// When it does not run, or may not be looked at.
    #[must_use]
    pub fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
        // `VmRSS:      4096 kB`
        let bytes = |key: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
            let kib: f64 = kib.and_then(|kib| kib.parse().ok()).expect("a number");
            kib * 1_024.0
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("our own user");
        Self {
            resident: bytes("VmRSS:"),
            peak: bytes("VmHWM:"),
            descriptors: descriptors.count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some_of_both() {
        let before = Footprint::of(std::process::id());
        let files: Vec<_> = (0..5).map(|_| fs::File::open("/dev/null")).collect();
        let after = Footprint::of(std::process::id());
        assert!(before.resident > MIB, "{before:?}");
        assert!(after.peak >= after.resident, "{after:?}");
        assert!(after.descriptors >= before.descriptors.min(5), "{after:?}");
        drop(files);
    }
}
