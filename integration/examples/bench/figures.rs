//! Times, and the figures made from them.

use std::fmt;
use std::time::Duration;

use integration::binaries;
use serde_json::json;

/// Times of the same thing, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<f64>);

/// All results, in the order of measuring.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    name: String,
    value: f64,
    unit: Unit,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Milliseconds.
    Millis,
    /// One time by another.
    Ratio,
}

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1_000.0);
    }

    /// The time that half of them stay below.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }
}

impl Figures {
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: Unit) {
        eprintln!("{name}: {value:.2} {unit}");
        let name = name.to_owned();
        self.0.push(Figure { name, value, unit });
    }

    /// Writes `target/bench.json`.
    pub(crate) fn write(&self) -> std::io::Result<()> {
        let figures: Vec<_> = self.0.iter().map(Figure::to_json).collect();
        let text = serde_json::to_string_pretty(&figures)?;
        std::fs::write(binaries::target_folder().join("bench.json"), text + "\n")
    }
}

impl Figure {
    fn to_json(&self) -> serde_json::Value {
        let value = (self.value * 1_000.0).round() / 1_000.0;
        json!({
            "name": self.name,
            "value": value,
            "unit": self.unit.to_string(),
            "target": null,
            "met": null,
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .0
            .iter()
            .map(|figure| figure.name.len())
            .max()
            .unwrap_or(0);
        for Figure { name, value, unit } in &self.0 {
            writeln!(f, "{name:width$}  {value:>9.2} {unit}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Millis => "ms",
            Self::Ratio => "times",
        })
    }
}
