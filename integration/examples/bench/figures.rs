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
    /// Where one is set: the value should stay below it.
    target: Option<f64>,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// One time by another.
    Ratio,
    /// 1,048,576 bytes.
    Mebibytes,
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
        self.push(name, value, unit, None);
    }

    /// Adds a figure that should be less than `target`.
    pub(crate) fn add_below(&mut self, name: &str, value: f64, unit: Unit, target: f64) {
        self.push(name, value, unit, Some(target));
    }

    fn push(&mut self, name: &str, value: f64, unit: Unit, target: Option<f64>) {
        eprintln!("{name}: {value:.2} {unit}");
        self.0.push(Figure {
            name: name.to_owned(),
            value,
            unit,
            target,
        });
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
            "target": self.target,
            "met": self.target.map(|target| self.value < target),
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
        for Figure {
            name,
            value,
            unit,
            target,
        } in &self.0
        {
            write!(f, "{name:width$}  {value:>9.2} {unit}")?;
            match target {
                Some(target) => writeln!(f, ", should be less than {target}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Micros => "us",
            Self::Millis => "ms",
            Self::Ratio => "times",
            Self::Mebibytes => "MiB",
        })
    }
}
