//! The text of BENCHMARKS.md.

use std::fmt::{Display, Write};
use std::mem;

use cargo_metadata::Package;
use comfy_table::{Row, Table, presets};

use crate::contender::{Contender, Kind};
use crate::figures::Figures;
use crate::losses::{NOISE, is_won, losses};
use crate::machine::Machine;
use crate::peers::peers;
use crate::section::Section;
use crate::sections::SECTIONS;
use crate::units;

/// The whole page. `packages` are those of the workspace and what they depend on.
pub(crate) fn page(figures: &Figures, machine: &Machine, packages: &[Package]) -> String {
    let mut page = Page::default();
    page.summary(figures, machine);
    page.regenerate();
    page.peers(figures, packages);
    for section in SECTIONS {
        page.section(section, figures);
    }
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: impl Display) {
        writeln!(self.0, "{text}").expect("a string takes all");
    }

    fn paragraph(&mut self, text: impl Display) {
        self.line(text);
        self.line("");
    }

    fn table<R: Into<Row>>(&mut self, head: &[&str], rows: impl IntoIterator<Item = R>) {
        let mut table = Table::new();
        table
            .load_preset(presets::ASCII_MARKDOWN)
            .set_header(head)
            .add_rows(rows);
        self.paragraph(table);
    }

    /// What is to be known in a minute.
    fn summary(&mut self, figures: &Figures, machine: &Machine) {
        let Machine {
            cores,
            processor,
            rust,
            date,
        } = machine;
        self.paragraph("# Benchmarks");
        self.paragraph("<!-- Made by benches/page.sh: what is changed here by hand is lost. -->");
        self.paragraph(format_args!(
            "{processor}, {cores} cores; Rust {rust}; measured on {date}. The figures are criterion's \
             medians, of {} rounds through all of the benchmarks the one in the middle (Go: one round). A \
             ratio of less than 1 is faster. Differences below {:.0} % are noise.",
            figures.rounds,
            100.0 * NOISE
        ));
        let bars = bars(figures);
        let count = |verdict: &str| bars.iter().filter(|row| row[4] == verdict).count();
        let (met, missed, open) = (count(MET), count(MISSED), count(""));
        let open = match open {
            0 => String::new(),
            open => format!(", {open} not measured"),
        };
        self.paragraph(format_args!(
            "**The bars that the project has set itself: {met} met, {missed} missed{open}.**"
        ));
        self.table(&["where", "what", "bar", "measured", ""], &bars);
        let rows = SECTIONS.iter().flat_map(|section| {
            let rows = section.rows.iter().map(move |row| (section, row));
            rows.filter(|(section, row)| !section.entries(row, figures).is_empty())
        });
        let rows: Vec<_> = rows.collect();
        let won = rows
            .iter()
            .filter(|(section, row)| is_won(section, row, figures))
            .count();
        self.paragraph(format_args!(
            "In {won} of {} rows nobody who does as much is faster than the fastest call of this \
             crate: no other crate, no call of rayon, nor Go. (Less is done by who looks for no \
             errors, keeps no order or has no bound.) The other rows stay in: each section ends with \
             what is lost in it, and why.",
            rows.len()
        ));
        if figures.go.is_none() {
            self.paragraph("Go was not measured here: `benches/go/run.sh` does it.");
        }
    }

    fn regenerate(&mut self) {
        self.paragraph("## To measure it again");
        self.paragraph(
            "```console\n\
             $ benches/page.sh            # all of it\n\
             $ benches/page.sh overhead   # one of the benchmarks, and the page\n\
             $ benches/page.sh --no-run   # only the page, of what is there\n\
             ```",
        );
        self.paragraph(
            "All contenders of a row do the same work on the same items: a chain of multiplications \
             that takes about the time that is given (`benches/work`), or a sleep. Figures are \
             computed from criterion's own data; none is typed.",
        );
    }

    fn peers(&mut self, figures: &Figures, packages: &[Package]) {
        self.paragraph("## The others");
        let head = [
            "",
            "version",
            "what is measured",
            "what it has no answer for",
        ];
        self.table(&head, peers(figures, packages));
    }

    fn section(&mut self, section: &Section, figures: &Figures) {
        self.paragraph(format_args!("## {}", section.title));
        self.paragraph(section.about);
        let command = format!("`benches/page.sh {}`", section.bench);
        if !section.is_measured(figures) {
            self.paragraph(format_args!("Not measured yet: {command} does it."));
            return;
        }
        self.paragraph(format_args!(
            "![{}](plots/{}.svg)",
            section.title, section.group
        ));
        self.medians(section, figures);
        let bars: Vec<_> = section_bars(section, figures).collect();
        if !bars.is_empty() {
            self.table(&["", "bar", "measured", ""], &bars);
        }
        let lost = section.rows.iter();
        let lost: Vec<_> = lost.flat_map(|row| losses(section, row, figures)).collect();
        if lost.is_empty() {
            self.paragraph("No row is lost.");
        } else {
            self.paragraph("Where it loses:");
            for loss in lost {
                self.line(format_args!("- {loss}."));
            }
            self.line("");
            self.paragraph(section.reasons);
        }
        self.paragraph(format_args!("Measured by {command}."));
    }

    /// A line for each contender: its median, and its ratio to the base.
    fn medians(&mut self, section: &Section, figures: &Figures) {
        let mut head = vec![""];
        head.extend(section.rows.iter().map(|row| row.name));
        let cells = |name: &str| {
            let contender = Contender::new(section.group, name);
            let label = match contender.kind {
                Kind::Ours => format!("**{}**", contender.label),
                _ => contender.label.to_owned(),
            };
            let medians = section.rows.iter().map(|row| {
                let entries = section.entries(row, figures);
                let entry = entries.iter().find(|entry| entry.name == name);
                entry.map_or_else(String::new, |entry| {
                    let (time, ratio) = (units::time(entry.median), units::ratio(entry.ratio));
                    format!("{time} ({ratio})")
                })
            });
            [label].into_iter().chain(medians).collect::<Vec<_>>()
        };
        let contenders = section.contenders(figures);
        let rows: Vec<_> = contenders.into_iter().map(cells).collect();
        self.paragraph(format_args!(
            "The median, and in brackets its ratio to {}:",
            section.base_label()
        ));
        self.table(&head, &rows);
    }
}

const MET: &str = "met";
const MISSED: &str = "**missed**";

/// All bars: where (once for those of a section), what, the bar, the measured figure, and whether it
/// is met.
fn bars(figures: &Figures) -> Vec<[String; 5]> {
    let mut bars = Vec::new();
    for section in SECTIONS {
        let mut place = format!("[{}](#{})", section.title, anchor(section.title));
        for bar in section_bars(section, figures) {
            let [what, limit, measured, met] = bar;
            bars.push([mem::take(&mut place), what, limit, measured, met]);
        }
    }
    bars
}

/// What, the bar, the measured figure, and whether it is met.
fn section_bars(section: &Section, figures: &Figures) -> impl Iterator<Item = [String; 4]> {
    section.bars.iter().map(|bar| {
        let row = section
            .rows
            .iter()
            .find(|row| row.parameter == bar.parameter);
        let row = row.map_or(bar.parameter, |row| row.name);
        let (measured, met) = match bar.verdict(section.group, figures) {
            Some(verdict) if verdict.is_met => (verdict.measured, MET),
            Some(verdict) => (verdict.measured, MISSED),
            None => ("not measured".to_owned(), ""),
        };
        [
            format!("{}: {}", row, bar.describe(section.group)),
            bar.limit(),
            measured,
            met.to_owned(),
        ]
    })
}

/// What GitHub makes of a heading.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || *c == ' ');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
