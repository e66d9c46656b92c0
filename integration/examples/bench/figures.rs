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
    target: Option<Target>,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
enum Target {
    Below(f64),
    AtLeast(f64),
}

impl Target {
    fn value(self) -> f64 {
        match self {
            Self::Below(value) | Self::AtLeast(value) => value,
        }
    }

    fn is_met(self, value: f64) -> bool {
        match self {
            Self::Below(target) => value <= target,
            Self::AtLeast(target) => value >= target,
        }
    }
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
    /// 1,024 bytes.
    Kibibytes,
    /// 1,048,576 bytes.
    Mebibytes,
    /// 1,000,000 bytes in a second.
    MegabytesPerSecond,
    /// Things in a second.
    PerSecond,
    /// Hundredths.
    Percent,
    /// Things.
    Count,
}

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1_000.0);
    }

    /// All of another.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that 99 of a hundred stay below: the longest but one of a hundred.
    pub(crate) fn p99(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let beyond = sorted.len() / 100;
        let place = sorted.len().checked_sub(1 + beyond);
        place.map_or(f64::NAN, |place| sorted[place])
    }

    /// The sum of all by their count.
    pub(crate) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
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

    /// Adds a figure that should be `target` at most.
    pub(crate) fn add_below(&mut self, name: &str, value: f64, unit: Unit, target: f64) {
        self.push(name, value, unit, Some(Target::Below(target)));
    }

    /// Adds a figure that should be `target` at least.
    pub(crate) fn add_above(&mut self, name: &str, value: f64, unit: Unit, target: f64) {
        self.push(name, value, unit, Some(Target::AtLeast(target)));
    }

    fn push(&mut self, name: &str, value: f64, unit: Unit, target: Option<Target>) {
        eprintln!("{name}: {value:.2} {unit}");
        self.0.push(Figure {
            name: name.to_owned(),
            value,
            unit,
            target,
        });
    }

    /// The figure of that name.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        let found = self.0.iter().find(|figure| figure.name == name);
        found.map(|figure| figure.value)
    }

    /// The row of a table in Markdown for the figure of that name.
    pub(crate) fn row(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|figure| figure.name == name);
        found.map(Figure::to_row)
    }

    /// Rows of a table in Markdown: the figures whose names begin in one of these ways.
    pub(crate) fn rows(&self, beginnings: &[&str]) -> Vec<String> {
        let is_meant = |figure: &&Figure| {
            let mut beginnings = beginnings.iter();
            beginnings.any(|beginning| figure.name.starts_with(beginning))
        };
        self.0.iter().filter(is_meant).map(Figure::to_row).collect()
    }

    /// Writes `target/bench.json`.
    pub(crate) fn write(&self) -> std::io::Result<()> {
        let figures: Vec<_> = self.0.iter().map(Figure::to_json).collect();
        let text = serde_json::to_string_pretty(&figures)?;
        std::fs::write(binaries::target_folder().join("bench.json"), text + "\n")
    }
}

impl Figure {
    fn to_row(&self) -> String {
        let (target, met) = match self.target {
            None => (String::new(), ""),
            Some(target) if target.is_met(self.value) => (target.to_string(), "yes"),
            Some(target) => (target.to_string(), "**no**"),
        };
        format!(
            "| {} | {:.2} {} | {target} | {met} |",
            self.name, self.value, self.unit
        )
    }

    fn to_json(&self) -> serde_json::Value {
        let value = round(self.value);
        json!({
            "name": self.name,
            "value": value,
            "unit": self.unit.to_string(),
            "target": self.target.map(|target| round(target.value())),
            "met": self.target.map(|target| target.is_met(self.value)),
        })
    }
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(target) => write!(f, "at most {target:.2}"),
            Self::AtLeast(target) => write!(f, "at least {target:.2}"),
        }
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
                Some(target) if target.is_met(*value) => {
                    writeln!(f, ", as it should be: {target}")?
                }
                Some(target) => writeln!(f, ", MISSED: {target}")?,
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
            Self::Kibibytes => "KiB",
            Self::Mebibytes => "MiB",
            Self::MegabytesPerSecond => "MB/s",
            Self::PerSecond => "/s",
            Self::Percent => "%",
            Self::Count => "",
        })
    }
}
