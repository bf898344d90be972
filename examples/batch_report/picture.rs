//! The picture: which worker ran which file when, and the result of each file.
//!
//! The upper part has a row for each worker, with a bar for each file that it ran. The lower part
//! shows all files in order, including the skipped ones. Each has a tooltip. The colors follow the
//! reader's light or dark theme, and can be distinguished with color blindness.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use svg::Document;
use svg::node::element::{Group, Line, Rectangle, Style, Text, Title};

use crate::axis::{label, ticks};
use crate::fate::{Failure, Fate};
use crate::message::quoted;
use crate::timeline::Bar;

const WIDTH: f64 = 1280.0;
const MARGIN: f64 = 24.0;
/// Where the axes begin: right of the names of the workers.
const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - MARGIN;
/// The height of the title and the legend.
const HEAD: f64 = 84.0;
/// Room for the mark of what stopped the run, above the rows.
const ABOVE: f64 = 20.0;
/// Room for the numbers along an axis, and its title.
const BELOW: f64 = 58.0;
/// The height of the strip of all files.
const STRIP: f64 = 44.0;
/// How wide a letter of a name is at least taken for.
const LETTER: f64 = 6.6;

/// What the picture shows.
pub(crate) struct Picture<'r> {
    pub(crate) title: String,
    pub(crate) files: &'r [PathBuf],
    /// The result of each file, by index.
    pub(crate) fates: &'r [Fate],
    pub(crate) failures: &'r [Failure],
    pub(crate) bars: &'r [Bar],
    pub(crate) workers: usize,
    /// When the run was stopped early, and by what.
    pub(crate) stopped: Option<(Duration, String)>,
}

impl Picture<'_> {
    /// Draws an SVG.
    pub(crate) fn draw(&self) -> String {
        let row = (320 / self.workers.max(1)).clamp(14, 64);
        let rows = number(row * self.workers);
        let strip = HEAD + ABOVE + rows + BELOW;
        let height = strip + STRIP + BELOW;
        Document::new()
            .set("width", WIDTH)
            .set("height", height)
            .set("viewBox", (0, 0, WIDTH, height))
            .add(Style::new(include_str!("style.css")))
            .add(self.head())
            .add(self.timeline(HEAD + ABOVE, number(row)))
            .add(self.strip(strip))
            .to_string()
    }

    /// The title, and a legend of the results that there are.
    fn head(&self) -> Group {
        let title = text(LEFT, 36.0, &self.title).set("class", "title");
        let mut group = Group::new().add(title);
        let mut left = LEFT;
        for fate in Fate::ALL {
            let count = self.fates.iter().filter(|other| **other == fate).count();
            if count > 0 {
                let dot = rectangle(left, 54.0, 13.0, 13.0).set("class", fate.name());
                let name = format!("{count} {}", fate.name());
                let name = text(left + 20.0, 65.0, name).set("class", "legend");
                group = group.add(dot).add(name);
                left += 150.0;
            }
        }
        group
    }

    /// A row for each worker, with a bar for each file that it ran.
    fn timeline(&self, top: f64, row: f64) -> Group {
        let ends = self.bars.iter().map(|bar| bar.end);
        let stopped = self.stopped.as_ref().map(|(time, _)| *time);
        let end = ends.chain(stopped).max().unwrap_or_default();
        let end = end.as_secs_f64().max(1e-3);
        let (unit, scale) = if end < 1.0 { ("ms", 1e3) } else { ("s", 1.0) };
        let x = |time: f64| LEFT + time / end * (RIGHT - LEFT);
        let bottom = top + row * number(self.workers);

        let mut group = Group::new();
        for worker in 0..self.workers {
            let top = top + row * number(worker);
            let stripe = rectangle(LEFT, top, RIGHT - LEFT, row - 1.0).set("class", "row");
            let name = text(LEFT - 8.0, top + row / 2.0 + 4.0, worker);
            group = group.add(stripe).add(name.set("text-anchor", "end"));
        }
        for tick in ticks(end * scale, 10.0) {
            group = group.add(line(x(tick / scale), top, bottom).set("class", "grid"));
            group = group.add(below(x(tick / scale), bottom, label(tick)));
        }
        let axis = format!("time since the start of the run ({unit})");
        group = group.add(below_axis(bottom, &axis));
        let workers = text(MARGIN, top - 6.0, "worker").set("class", "axis");
        group = group.add(workers);

        // The rare fates are drawn last, so that they are on top.
        for fate in Fate::ALL {
            let bars = self.bars.iter();
            for bar in bars.filter(|bar| self.fates[bar.index] == fate) {
                let left = x(bar.begin.as_secs_f64());
                let top = top + row * number(bar.worker) + row * 0.12;
                // Even the shortest bar is visible, and there is a gap between two long ones.
                let width = (x(bar.end.as_secs_f64()) - left - 1.0).max(2.0);
                let times = format!(
                    "worker {}, {:.2?} to {:.2?}",
                    bar.worker, bar.begin, bar.end
                );
                let class = format!("bar {}", fate.name());
                let shape = rectangle(left, top, width, row * 0.72).set("class", class);
                let tooltip = format!("{}\n{times}", self.describe(bar.index));
                group = group.add(shape.add(Title::new(tooltip)));

                let name = self.short_name(bar.index);
                if number(name.chars().count()) * LETTER + 8.0 < width {
                    let name = text(left + 4.0, top + row * 0.36 + 4.0, name);
                    group = group.add(name.set("class", format!("name {}", fate.name())));
                }
            }
        }
        if let Some((time, cause)) = &self.stopped {
            let x = x(time.as_secs_f64());
            let mark = line(x, top - 4.0, bottom).set("class", "stop");
            // The label is inside of the picture.
            let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
            let name = text(x, top - 8.0, format!("{cause} at {time:.2?}"));
            let name = name.set("text-anchor", anchor).set("class", "stopped");
            group = group.add(mark).add(name);
        }
        group
    }

    /// A mark for each file.
    fn strip(&self, top: f64) -> Group {
        let files = self.fates.len();
        let each = (RIGHT - LEFT) / number(files.max(1));
        let bottom = top + STRIP;
        let mut group = Group::new();
        for wanted in Fate::ALL {
            let files = (0..).zip(self.fates).filter(|(_, fate)| **fate == wanted);
            for (index, fate) in files {
                // At least a pixel for each file, and a gap if there is room.
                let gap = if each > 4.0 { 1.0 } else { 0.0 };
                let (left, width) = (LEFT + each * number(index), (each - gap).max(1.0));
                let class = format!("mark {}", fate.name());
                let mark = rectangle(left, top, width, STRIP).set("class", class);
                group = group.add(mark.add(Title::new(self.describe(index))));
            }
        }
        for tick in ticks(number(files.max(1)), 10.0) {
            if tick.fract() == 0.0 && tick < number(files) {
                group = group.add(below(LEFT + each * (tick + 0.5), bottom, label(tick)));
            }
        }
        group.add(below_axis(bottom, "all files, in order, by index"))
    }

    /// The name, the result and the cause.
    fn describe(&self, index: usize) -> String {
        let name = quoted(&self.files[index]);
        let failures = self.failures;
        let found = failures.binary_search_by_key(&Some(index), |failure| failure.index);
        let cause = found.map_or_else(
            |_| String::new(),
            |found| format!(": {}", failures[found].cause),
        );
        format!("{name}\n{}{cause}", self.fates[index].name())
    }

    /// The last part of the path.
    fn short_name(&self, index: usize) -> String {
        let path = &self.files[index];
        let name = quoted(path.file_name().unwrap_or(path.as_os_str()));
        name[1..name.len() - 1].to_owned()
    }
}

/// Numbers of pixels and of files are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "no picture is so large")]
fn number(count: usize) -> f64 {
    count as f64
}

fn text(x: f64, y: f64, content: impl Display) -> Text {
    Text::new(content.to_string())
        .set("x", round(x))
        .set("y", round(y))
}

fn below(x: f64, bottom: f64, content: String) -> Text {
    text(x, bottom + 18.0, content).set("text-anchor", "middle")
}

fn below_axis(bottom: f64, title: &str) -> Text {
    let middle = text(f64::midpoint(LEFT, RIGHT), bottom + 40.0, title);
    middle.set("text-anchor", "middle").set("class", "axis")
}

fn rectangle(x: f64, y: f64, width: f64, height: f64) -> Rectangle {
    Rectangle::new()
        .set("x", round(x))
        .set("y", round(y))
        .set("width", round(width))
        .set("height", round(height))
}

fn line(x: f64, top: f64, bottom: f64) -> Line {
    Line::new()
        .set("x1", round(x))
        .set("x2", round(x))
        .set("y1", round(top))
        .set("y2", round(bottom))
}

/// To a hundredth of a pixel.
fn round(length: f64) -> f64 {
    (length * 100.0).round() / 100.0
}
