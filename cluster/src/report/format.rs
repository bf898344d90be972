//! The text of a report. One fact on each line, and `end` on the last: what is cut short is no
//! report.

use std::fmt::Write;
use std::ops::Range;

use super::Report;

/// The version that is written, and the only one that is read.
pub(super) const VERSION: u32 = 2;

const TITLE: &str = "rayon-errgroup report ";

/// Why a text is no report.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormatError {
    NotAReport,
    Version(String),
    /// On this line, counted from 1.
    Line(usize),
    Truncated,
    /// The numbers do not belong together.
    Inconsistent,
}

pub(super) fn print(report: &Report) -> String {
    let Report {
        batch,
        batch_id,
        range,
        known_to,
        ok,
        cancelled,
        skipped,
        failures,
        stopped_by,
    } = report;
    let mut text = format!(
        "{TITLE}{VERSION}\nbatch {batch}\nid {}\nrange {} {}\nknown-to {known_to}\nok {ok}\n\
         cancelled {cancelled}\nskipped {skipped}\n",
        escape(batch_id),
        range.start,
        range.end
    );
    for (index, error) in failures {
        // To write into a string cannot fail.
        _ = writeln!(text, "failed {index} {}", escape(error));
    }
    if let Some(reason) = stopped_by {
        _ = writeln!(text, "stopped-by {}", escape(reason));
    }
    text.push_str("end\n");
    text
}

pub(super) fn parse(text: &str) -> Result<Report, FormatError> {
    let mut lines = text.split_inclusive('\n').enumerate();
    let title = lines.next().map_or("", |(_, line)| line);
    let version = title.strip_prefix(TITLE).ok_or(FormatError::NotAReport)?;
    match version.trim_end_matches('\n') {
        version if version == VERSION.to_string() => {}
        version => return Err(FormatError::Version(version.to_owned())),
    }
    let mut field = |name: &str| {
        let (number, line) = lines.next().ok_or(FormatError::Truncated)?;
        let line = line.strip_suffix('\n').ok_or(FormatError::Truncated)?;
        let value = line
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(' '));
        value
            .ok_or(FormatError::Line(number + 1))
            .map(|value| (number + 1, value))
    };
    let number = |(line, value): (usize, &str)| value.parse().map_err(|_| FormatError::Line(line));
    let batch = number(field("batch")?)?;
    let (line, batch_id) = field("id")?;
    let batch_id = unescape(batch_id).ok_or(FormatError::Line(line))?;
    let (line, range) = field("range")?;
    let (start, end) = range.split_once(' ').ok_or(FormatError::Line(line))?;
    let range = Range {
        start: number((line, start))?,
        end: number((line, end))?,
    };
    let mut report = Report {
        batch,
        batch_id,
        range,
        known_to: number(field("known-to")?)?,
        ok: number(field("ok")?)?,
        cancelled: number(field("cancelled")?)?,
        skipped: number(field("skipped")?)?,
        failures: Vec::new(),
        stopped_by: None,
    };
    let mut has_ended = false;
    for (line_number, line) in lines {
        let wrong = FormatError::Line(line_number + 1);
        let line = line.strip_suffix('\n').ok_or(FormatError::Truncated)?;
        if has_ended {
            return Err(wrong);
        } else if line == "end" {
            has_ended = true;
        } else if let Some(failure) = line.strip_prefix("failed ") {
            let Some((index, error)) = failure.split_once(' ') else {
                return Err(wrong);
            };
            let error = unescape(error).ok_or(wrong)?;
            report
                .failures
                .push((number((line_number + 1, index))?, error));
        } else if let Some(reason) = line.strip_prefix("stopped-by ") {
            report.stopped_by = Some(unescape(reason).ok_or(wrong)?);
        } else {
            return Err(wrong);
        }
    }
    if !has_ended {
        return Err(FormatError::Truncated);
    }
    if is_consistent(&report) {
        Ok(report)
    } else {
        Err(FormatError::Inconsistent)
    }
}

fn is_consistent(report: &Report) -> bool {
    let Report {
        batch,
        range,
        known_to,
        ok,
        cancelled,
        skipped,
        failures,
        ..
    } = report;
    let ended = [*ok, *cancelled, *skipped, failures.len()];
    let items = ended.into_iter().try_fold(0_usize, usize::checked_add);
    range.start <= range.end
        && range.end <= *batch
        && (range.start..=range.end).contains(known_to)
        && items == Some(range.len())
        && failures.is_sorted_by(|(a, _), (b, _)| a < b)
        && failures.iter().all(|(index, _)| range.contains(index))
        // Every item that is known has succeeded or failed.
        && known_to - range.start <= ok + failures.len()
}

/// On one line.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\\\");
    text.replace('\n', "\\n").replace('\r', "\\r")
}

fn unescape(text: &str) -> Option<String> {
    let (mut unescaped, mut characters) = (String::with_capacity(text.len()), text.chars());
    while let Some(character) = characters.next() {
        unescaped.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(unescaped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report() -> Report {
        Report {
            batch: 100,
            batch_id: "mon\nday".into(),
            range: 10..20,
            known_to: 13,
            ok: 4,
            cancelled: 1,
            skipped: 3,
            failures: vec![(12, "two\nlines \\ and\r".into()), (19, String::new())],
            stopped_by: Some("SIGTERM".into()),
        }
    }

    #[test]
    fn what_is_printed_is_read() {
        assert_eq!(parse(&print(&report())), Ok(report()));
        let text = "rayon-errgroup report 2\nbatch 100\nid mon\\nday\nrange 10 20\nknown-to 13\nok 4\n\
                    cancelled 1\nskipped 3\nfailed 12 two\\nlines \\\\ and\\r\nfailed 19 \n\
                    stopped-by SIGTERM\nend\n";
        assert_eq!(
            print(&report()),
            text,
            "the format has changed: so must the version"
        );
    }

    #[test]
    fn another_version_is_refused() {
        let text = print(&report()).replacen("report 2", "report 1", 1);
        assert_eq!(parse(&text), Err(FormatError::Version("1".into())));
        assert_eq!(parse("PK\u{3}"), Err(FormatError::NotAReport));
        assert_eq!(parse(""), Err(FormatError::NotAReport));
    }

    #[test]
    fn no_part_of_a_report_is_one() {
        let text = print(&report());
        for end in 0..text.len() {
            assert!(parse(&text[..end]).is_err(), "{}", &text[..end]);
        }
        let more = parse(&(text + "end\n"));
        assert_eq!(more, Err(FormatError::Line(13)));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_refused() {
        let refused = |change: &dyn Fn(&mut Report)| {
            let mut changed = report();
            change(&mut changed);
            assert_eq!(parse(&print(&changed)), Err(FormatError::Inconsistent));
        };
        refused(&|report| report.ok = 5);
        refused(&|report| report.ok = usize::MAX);
        refused(&|report| report.batch = 19);
        refused(&|report| report.known_to = 21);
        refused(&|report| report.known_to = 17);
        refused(&|report| report.failures.swap(0, 1));
        refused(&|report| report.failures[0].0 = 9);
    }

    proptest! {
        #[test]
        fn any_text_of_an_error_survives(error in "\\PC*|[\\\\nr\r\n]*") {
            let mut report = report();
            report.failures[0].1 = error;
            prop_assert_eq!(parse(&print(&report)), Ok(report));
        }

        #[test]
        fn no_text_panics(text in "(rayon-errgroup report 2\n)?((batch|id|range|ok|failed|end)[ 0-9]*\n)*") {
            _ = parse(&text);
        }
    }
}
