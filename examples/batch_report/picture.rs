//! The picture: which worker ran which file when, and the result of each file.
//!
//! The upper part has a row for each worker, with a bar for each file that it ran. The lower part
//! shows all files in order, including the skipped ones.

use std::collections::{BTreeMap, BTreeSet};

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::fate::Fate;
use crate::timeline::Bar;

const WIDTH: u32 = 1280;
const HEAD: u32 = 84;
const STRIP: u32 = 104;
/// Room for the names of the workers.
const LEFT: i32 = 44;
/// Room for the numbers along an axis, and its title.
const BELOW: u32 = 46;
const MARGIN: i32 = 24;
/// The height of a row, in units of the axis.
const ROW: i32 = 120;

const PAPER: RGBColor = RGBColor(0xfd, 0xfc, 0xf9);
const GRID: RGBColor = RGBColor(0xdd, 0xda, 0xd2);
const INK: RGBColor = RGBColor(0x3a, 0x3d, 0x42);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws an SVG. `fates` has the result of each file, by index.
pub(crate) fn draw(title: &str, bars: &[Bar], fates: &[Fate]) -> anyhow::Result<String> {
    let rows = rows(bars);
    let count = u32::try_from(rows.len())?.max(1);
    let height = (320 / count).clamp(12, 64) * count + BELOW;
    let size = (WIDTH, HEAD + height + STRIP);

    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&PAPER)?;
    let (head, rest) = root.split_vertically(HEAD);
    let (timeline, strip) = rest.split_vertically(height);
    draw_head(&head, title, fates)?;
    draw_timeline(&timeline, &rows, bars, fates)?;
    draw_strip(&strip, fates)?;
    root.present()?;
    drop((root, head, rest, timeline, strip));
    Ok(svg)
}

/// Where on the axis the row of each worker begins. Workers that ran no file have none.
fn rows(bars: &[Bar]) -> BTreeMap<usize, i32> {
    let workers: BTreeSet<_> = bars.iter().map(|bar| bar.worker).collect();
    workers
        .into_iter()
        .zip((0..).map(|row| row * ROW))
        .collect()
}

/// The title and the legend.
fn draw_head(area: &Area<'_>, title: &str, fates: &[Fate]) -> anyhow::Result<()> {
    let mut left = MARGIN + LEFT;
    let middle = Pos::new(HPos::Left, VPos::Center);
    area.draw(&Text::new(title, (left, 28), text(22).pos(middle)))?;
    left += 6;
    for fate in Fate::ALL {
        let count = fates.iter().filter(|other| **other == fate).count();
        let name = format!("{} ({count})", fate.name());
        area.draw(&Circle::new((left, 60), 6, color(fate).filled()))?;
        area.draw(&Text::new(name, (left + 13, 61), text(15).pos(middle)))?;
        left += 150;
    }
    Ok(())
}

/// A row for each worker that ran a file, with a bar for each of its files.
fn draw_timeline(
    area: &Area<'_>,
    rows: &BTreeMap<usize, i32>,
    bars: &[Bar],
    fates: &[Fate],
) -> anyhow::Result<()> {
    let end = bars.iter().map(|bar| bar.end.as_secs_f64());
    let end = end.fold(0.0, f64::max);
    let (unit, scale) = if end < 1.0 { ("ms", 1e3) } else { ("s", 1.0) };
    // The axis needs a length even if nothing ran.
    let end = (end * scale).max(1.0);
    let middles: Vec<_> = rows.values().map(|top| top + ROW / 2).collect();
    let bottom = middles.last().map_or(ROW, |last| last + ROW / 2);

    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, BELOW)
        .margin_left(MARGIN)
        .margin_right(MARGIN)
        .build_cartesian_2d(0.0..end, (bottom..0).with_key_points(middles))?;
    let name = |middle: &i32| {
        let row = rows.iter().find(|(_, top)| **top + ROW / 2 == *middle);
        row.map_or_else(String::new, |(worker, _)| worker.to_string())
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(text(13))
        .axis_desc_style(text(15))
        .x_label_formatter(&|time| ((time * 1e3).round() / 1e3).to_string())
        .y_label_formatter(&name)
        .x_desc(format!("time since the start of the run ({unit})"))
        .y_desc("worker")
        .draw()?;

    let pixel = end / f64::from(chart.plotting_area().dim_in_pixel().0);
    // The rare fates are drawn last, so that they are on top.
    for fate in Fate::ALL {
        let bars = bars.iter().filter(|bar| fates[bar.index] == fate);
        chart.draw_series(bars.map(|bar| {
            let top = rows[&bar.worker];
            let begin = bar.begin.as_secs_f64() * scale;
            let end = bar.end.as_secs_f64() * scale;
            // Even the shortest bar is visible, and there is a gap between two long ones.
            let end = (end - pixel).max(begin + 2.0 * pixel);
            let margin = if fate == Fate::Ok { ROW / 5 } else { ROW / 12 };
            let corners = [(begin, top + margin), (end, top + ROW - margin)];
            Rectangle::new(corners, color(fate).filled())
        }))?;
    }
    Ok(())
}

/// A mark for each file.
fn draw_strip(area: &Area<'_>, fates: &[Fate]) -> anyhow::Result<()> {
    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, BELOW)
        .margin_top(14)
        .margin_left(MARGIN)
        .margin_right(MARGIN)
        .build_cartesian_2d(0..fates.len(), 0..1)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .axis_style(GRID)
        .label_style(text(13))
        .axis_desc_style(text(15))
        .x_desc("all files, in order")
        .draw()?;
    let (pixels, _) = chart.plotting_area().dim_in_pixel();
    // At least a pixel for each file, and a gap if there is room.
    let cell = fates.len().div_ceil(pixels as usize);
    let gap = u32::from(fates.len() * 4 < pixels as usize);
    for wanted in Fate::ALL {
        let files = (0..).zip(fates).filter(|(_, fate)| **fate == wanted);
        chart.draw_series(files.map(|(index, _)| {
            let corners = [(index, 0), (index + cell, 1)];
            let mut mark = Rectangle::new(corners, color(wanted).filled());
            mark.set_margin(0, 0, 0, gap);
            mark
        }))?;
    }
    Ok(())
}

fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// The colors can be distinguished with color blindness, and in a grey print.
fn color(fate: Fate) -> RGBColor {
    match fate {
        Fate::Ok => RGBColor(0x8c, 0xb8, 0xdc),
        Fate::Failed => RGBColor(0xe0, 0x7b, 0x1f),
        Fate::Cancelled => RGBColor(0xf0, 0xc2, 0x4e),
        Fate::Panicked => RGBColor(0x8e, 0x1b, 0x4f),
        Fate::Skipped => RGBColor(0xcf, 0xcc, 0xc4),
    }
}
