//! The plot of a section: a panel per row with a bar per contender. A bar starts at 1, the time of
//! the rayon call that one would write, and extends to the left where a contender is faster. A bar
//! that is too long for the axis is drawn with a break.

use plotters::data::float::pretty_print_float;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::bar::Bar;
use crate::canvas::{Canvas, PAPER};
use crate::contender::Kind;
use crate::figures::Figures;
use crate::scale::Scale;
use crate::section::{Entry, Row, Section};
use crate::units;

const WIDTH: i32 = 960;
const MARGIN: i32 = 24;
/// The ends of the axis, between the names and the figures.
const FROM: i32 = 260;
const TO: i32 = WIDTH - 186;
/// The right ends of the ratios and the times.
const RATIOS: i32 = WIDTH - 112;
const TIMES: i32 = WIDTH - MARGIN;

const HEAD: i32 = 108;
const TITLE: i32 = 34;
const BAR: i32 = 22;
const GAP: i32 = 14;
const AXIS: i32 = 40;

const SMALL: i32 = 15;

const GRID: RGBColor = RGBColor(0xe6, 0xe3, 0xdb);
const ONE: RGBColor = RGBColor(0x9a, 0x97, 0x8f);
const INK: RGBColor = RGBColor(0x3a, 0x3d, 0x42);
const PALE: RGBColor = RGBColor(0x75, 0x76, 0x78);
const ACCENT: RGBColor = RGBColor(0x1f, 0x78, 0xb4);
const LIMIT: RGBColor = RGBColor(0xc2, 0x4d, 0x12);

/// A colour that stands out for ours, and two distinct greys for the others.
fn color(kind: Kind) -> RGBColor {
    match kind {
        Kind::Ours => ACCENT,
        Kind::Rayon => RGBColor(0x8b, 0x93, 0x9b),
        Kind::Sequential | Kind::Peer => RGBColor(0xcf, 0xcb, 0xc1),
    }
}

struct Panel<'f> {
    section: &'f Section,
    row: &'f Row,
    entries: Vec<Entry<'f>>,
}

/// Draws an SVG of these rows of a section.
pub(crate) fn draw(section: &Section, rows: &[Row], figures: &Figures) -> anyhow::Result<String> {
    let panels = rows.iter().map(|row| Panel {
        section,
        row,
        entries: section.entries(row, figures),
    });
    let panels: Vec<_> = panels.filter(|panel| !panel.entries.is_empty()).collect();
    let ratios = |ours| {
        let entries = panels.iter().flat_map(|panel| &panel.entries);
        let entries = entries.filter(move |entry| (entry.contender.kind == Kind::Ours) == ours);
        entries.map(|entry| entry.ratio)
    };
    let scale = Scale::new(ratios(true), ratios(false), FROM, TO);
    let bottom = HEAD + panels.iter().map(Panel::height).sum::<i32>();

    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, WIDTH, bottom + AXIS)?;
    draw_head(&canvas, section, rows)?;
    draw_axis(&canvas, &scale, bottom)?;
    let mut top = HEAD;
    for panel in &panels {
        panel.draw(&canvas, &scale, top)?;
        top += panel.height();
    }
    canvas.finish()?;
    Ok(svg)
}

/// The title, the meaning of the axis, and the legend.
fn draw_head(canvas: &Canvas<'_>, section: &Section, rows: &[Row]) -> anyhow::Result<()> {
    canvas.text(section.title, (MARGIN, 28), HPos::Left, 25, INK)?;
    let axis = format!(
        "Time divided by that of {}, log scale: left of 1 is faster",
        section.base_label()
    );
    canvas.text(&axis, (MARGIN, 56), HPos::Left, SMALL, PALE)?;

    let mut x = MARGIN;
    for (kind, name, width) in [
        (Kind::Ours, "rayon-errgroup", 132),
        (Kind::Rayon, "rayon", 78),
        (Kind::Peer, "others", 82),
    ] {
        canvas.block([(x, 76), (x + 12, 88)], color(kind))?;
        canvas.text(name, (x + 20, 83), HPos::Left, SMALL, PALE)?;
        x += width;
    }
    let is_drawn = |bar: &Bar| {
        let mut rows = rows.iter();
        rows.any(|row| bar.mark(bar.ours, row.parameter, section.base).is_some())
    };
    if section.bars.iter().any(is_drawn) {
        canvas.block([(x, 74), (x + 3, 90)], LIMIT)?;
        let meaning = "target";
        canvas.text(meaning, (x + 11, 83), HPos::Left, SMALL, PALE)?;
    }
    canvas.text("ratio", (RATIOS, 83), HPos::Right, SMALL, PALE)?;
    canvas.text("median", (TIMES, 83), HPos::Right, SMALL, PALE)
}

fn draw_axis(canvas: &Canvas<'_>, scale: &Scale, bottom: i32) -> anyhow::Result<()> {
    for tick in scale.ticks() {
        let x = scale.pixel(tick);
        canvas.line([(x, HEAD), (x, bottom)], GRID, 1)?;
        let number = pretty_print_float(tick, false);
        canvas.text(&number, (x, bottom + 14), HPos::Center, SMALL, PALE)?;
    }
    Ok(())
}

impl Panel<'_> {
    fn height(&self) -> i32 {
        let bars: i32 = self.entries.iter().map(|_| BAR).sum();
        TITLE + bars + GAP
    }

    fn draw(&self, canvas: &Canvas<'_>, scale: &Scale, top: i32) -> anyhow::Result<()> {
        canvas.text(self.row.name, (MARGIN, top + 18), HPos::Left, 18, INK)?;
        let mut y = top + TITLE;
        for entry in &self.entries {
            self.draw_entry(canvas, scale, entry, y)?;
            y += BAR;
        }
        let one = scale.pixel(1.0);
        canvas.line([(one, top + TITLE), (one, y)], ONE, 1)
    }

    /// The name of a contender, its bar and its figures.
    fn draw_entry(
        &self,
        canvas: &Canvas<'_>,
        scale: &Scale,
        entry: &Entry<'_>,
        top: i32,
    ) -> anyhow::Result<()> {
        let (middle, bottom) = (top + BAR / 2 + 1, top + BAR);
        let (kind, label) = (entry.contender.kind, entry.contender.label);
        let ink = if kind == Kind::Ours { ACCENT } else { INK };
        canvas.text(label, (FROM - 12, middle), HPos::Right, SMALL, ink)?;

        let (one, end) = (scale.pixel(1.0), scale.pixel(entry.ratio));
        let (left, right) = (one.min(end), end.max(one + 1));
        canvas.block([(left, top + 4), (right, bottom - 4)], color(kind))?;
        if !scale.has(entry.ratio) {
            let tear = if end < one { end + 14 } else { end - 28 };
            for x in [tear, tear + 7] {
                canvas.line([(x, bottom), (x + 7, top)], PAPER, 3)?;
            }
        }
        let limits = self.section.bars.iter();
        let limits = limits
            .filter_map(|bar| bar.mark(entry.name, self.row.parameter, self.section.base))
            .map(|limit| scale.pixel(limit));
        for x in limits {
            canvas.block([(x - 1, top + 1), (x + 2, bottom - 1)], LIMIT)?;
        }

        let (ratio, time) = (units::ratio(entry.ratio), units::time(entry.median));
        canvas.text(&ratio, (RATIOS, middle), HPos::Right, SMALL, INK)?;
        canvas.text(&time, (TIMES, middle), HPos::Right, SMALL, INK)
    }
}
