//! Pictures of the figures, as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::figures::Figures;

const SIZE: (u32, u32) = (760, 380);
const INK: RGBColor = RGBColor(40, 44, 52);
const COLOURS: [RGBColor; 4] = [
    RGBColor(33, 102, 172),
    RGBColor(244, 165, 66),
    RGBColor(90, 174, 97),
    RGBColor(153, 112, 171),
];

/// Groups of bars: one group for each label, one bar in it for each series.
pub(crate) struct Bars<'a> {
    pub(crate) title: &'a str,
    /// What the bars are counted in.
    pub(crate) unit: &'a str,
    pub(crate) groups: Vec<String>,
    /// Name, and one value for each group.
    pub(crate) series: Vec<(&'a str, Vec<f64>)>,
}

impl Bars<'_> {
    /// Draws them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn draw(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        let values = self.series.iter().flat_map(|(_, values)| values);
        let top = values.fold(0.0, |top: f64, value| top.max(*value)) * 1.1;
        let root = SVGBackend::new(file, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, ("sans-serif", 18, &INK))
            .margin(12)
            .x_label_area_size(32)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..self.groups.len() as f64, 0.0..top)?;
        let label = |x: &f64| {
            // Only the middle of a group has a label.
            let middle = |group: usize| group as f64 + 0.5;
            let mut groups = self.groups.iter().enumerate();
            let group = groups.find(|(group, _)| (middle(*group) - x).abs() < 0.01);
            group.map(|(_, name)| name.clone()).unwrap_or_default()
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(2 * self.groups.len() + 1)
            .x_label_formatter(&label)
            .y_desc(self.unit)
            .draw()?;
        let width = 0.8 / self.series.len() as f64;
        for (position, (name, values)) in self.series.iter().enumerate() {
            let colour = COLOURS[position % COLOURS.len()];
            let bars = values.iter().enumerate().map(|(group, value)| {
                let left = group as f64 + 0.1 + width * position as f64;
                Rectangle::new(
                    [(left, 0.0), (left + width * 0.92, *value)],
                    colour.filled(),
                )
            });
            chart.draw_series(bars)?.label(*name).legend(move |(x, y)| {
                Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled())
            });
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .draw()?;
        root.present()?;
        Ok(())
    }
}

/// Handshakes in a second over the number of cards, and what as many cards as one would make, of the
/// figures whose names begin with `prefix`.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn scaling(figures: &Figures, prefix: &str, file: &Path) -> Result<(), Box<dyn Error>> {
    let of = |cards: usize| figures.value(&format!("{prefix}cards: {cards}, handshakes"));
    let measured: Vec<(f64, f64)> = (0..8)
        .map(|power| 1 << power)
        .filter_map(|cards| Some((cards as f64, of(cards)?)))
        .collect();
    let Some((&(_, of_one), &(most, _))) = measured.first().zip(measured.last()) else {
        return Ok(());
    };
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Handshakes with many cards", ("sans-serif", 18, &INK))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..most, 0.0..most * of_one * 1.05)?;
    chart
        .configure_mesh()
        .x_desc("cards, each with a domain of its own")
        .y_desc("handshakes in a second")
        .draw()?;
    let linear = [(0.0, 0.0), (most, most * of_one)];
    for (points, name, colour) in [
        (linear.to_vec(), "as many times as one card", COLOURS[1]),
        (measured, "measured", COLOURS[0]),
    ] {
        chart
            .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
        chart.draw_series(
            points
                .iter()
                .map(|point| Circle::new(*point, 3, colour.filled())),
        )?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    root.present()?;
    Ok(())
}
