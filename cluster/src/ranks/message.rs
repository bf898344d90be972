//! What ranks say to each other.

use std::ops::Range;

use super::ended::Ended;
use crate::merge::Verdict;

/// What all ranks must agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// The how-manieth run of these ranks it is.
    pub(super) run: usize,
    pub(super) items: usize,
    /// The name of the closure's type. Closures of one function share theirs.
    pub(super) closure: String,
    /// Where the run is called: file, line and column.
    pub(super) place: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    // To the hub.
    /// The first of each rank.
    Hello(Batch),
    /// A chunk of so many items, please. Answered by `Chunk` or `NoMore`.
    Want(usize),
    /// An item has failed.
    Failed(usize, String),
    /// The last of each rank: how many items were ok, failed and cancelled; which are unknown,
    /// although they come before every failure that the rank knows; and why the rank has stopped,
    /// if that was not for a failure.
    Done([usize; 3], Vec<Range<usize>>, Option<String>),

    // From the hub.
    Chunk(Range<usize>),
    NoMore,
    /// The lowest index that has failed so far.
    Lowest(usize),
    /// Nothing counts any more.
    Stop,
    /// The last to each rank.
    End(Ended),
    /// The last to each rank, if they do not run the same batch.
    Refused(String),
}

impl Message {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::new());
        match self {
            Message::Hello(batch) => {
                writer.tag(0).number(batch.run).number(batch.items);
                writer.text(&batch.closure).text(&batch.place);
            }
            Message::Want(len) => _ = writer.tag(1).number(*len),
            Message::Failed(index, error) => _ = writer.tag(2).number(*index).text(error),
            Message::Done(counts, holes, stopped) => {
                writer.tag(3).numbers(counts).ranges(holes);
                writer.option(stopped.as_ref(), |writer, reason| _ = writer.text(reason));
            }
            Message::Chunk(range) => _ = writer.tag(4).number(range.start).number(range.end),
            Message::NoMore => _ = writer.tag(5),
            Message::Lowest(index) => _ = writer.tag(6).number(*index),
            Message::Stop => _ = writer.tag(7),
            Message::End(ended) => {
                writer.tag(8).numbers(&ended.counts);
                match &ended.verdict {
                    Verdict::Complete => _ = writer.tag(0),
                    Verdict::Failed { index, error } => {
                        writer.tag(1).number(*index).text(error);
                    }
                    Verdict::Undecided { first, below } => {
                        writer.tag(2).ranges(below);
                        writer.option(first.as_ref(), |writer, (index, error)| {
                            writer.number(*index).text(error);
                        });
                    }
                }
                writer.option(ended.rank.as_ref(), |writer, rank| _ = writer.number(*rank));
                writer.option(ended.stopped.as_ref(), |writer, (rank, reason)| {
                    writer.number(*rank).text(reason);
                });
            }
            Message::Refused(reason) => _ = writer.tag(9).text(reason),
        }
        writer.0
    }

    /// `None` if it is no message.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let message = match reader.tag()? {
            0 => Message::Hello(Batch {
                run: reader.number()?,
                items: reader.number()?,
                closure: reader.text()?,
                place: reader.text()?,
            }),
            1 => Message::Want(reader.number()?),
            2 => Message::Failed(reader.number()?, reader.text()?),
            3 => Message::Done(
                [reader.number()?, reader.number()?, reader.number()?],
                reader.ranges()?,
                reader.option(Reader::text)?,
            ),
            4 => Message::Chunk(reader.number()?..reader.number()?),
            5 => Message::NoMore,
            6 => Message::Lowest(reader.number()?),
            7 => Message::Stop,
            8 => Message::End(reader.ended()?),
            9 => Message::Refused(reader.text()?),
            _ => return None,
        };
        reader.0.is_empty().then_some(message)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn tag(&mut self, tag: u8) -> &mut Self {
        self.0.push(tag);
        self
    }

    fn number(&mut self, number: usize) -> &mut Self {
        self.0.extend((number as u64).to_le_bytes());
        self
    }

    fn numbers(&mut self, numbers: &[usize]) -> &mut Self {
        for number in numbers {
            self.number(*number);
        }
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len());
        self.0.extend(text.as_bytes());
        self
    }

    fn ranges(&mut self, ranges: &[Range<usize>]) -> &mut Self {
        self.number(ranges.len());
        for range in ranges {
            self.number(range.start).number(range.end);
        }
        self
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        match value {
            None => _ = self.tag(0),
            Some(value) => {
                self.tag(1);
                write(self, value);
            }
        }
    }
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn tag(&mut self) -> Option<u8> {
        let (tag, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*tag)
    }

    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        usize::try_from(u64::from_le_bytes(*number)).ok()
    }

    fn text(&mut self) -> Option<String> {
        let len = self.number()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        String::from_utf8(text.to_owned()).ok()
    }

    fn ranges(&mut self) -> Option<Vec<Range<usize>>> {
        let count = self.number()?;
        (0..count)
            .map(|_| Some(self.number()?..self.number()?))
            .collect()
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one says whether it could be read"
    )]
    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.tag()? {
            0 => Some(None),
            1 => Some(Some(read(self)?)),
            _ => None,
        }
    }

    fn ended(&mut self) -> Option<Ended> {
        let counts = [
            self.number()?,
            self.number()?,
            self.number()?,
            self.number()?,
        ];
        let verdict = match self.tag()? {
            0 => Verdict::Complete,
            1 => Verdict::Failed {
                index: self.number()?,
                error: self.text()?,
            },
            2 => Verdict::Undecided {
                below: self.ranges()?,
                first: self.option(|reader| Some((reader.number()?, reader.text()?)))?,
            },
            _ => return None,
        };
        Some(Ended {
            verdict,
            counts,
            rank: self.option(Reader::number)?,
            stopped: self.option(|reader| Some((reader.number()?, reader.text()?)))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "lists of ranges")]
    fn every_message_arrives_as_it_was_sent() {
        let batch = Batch {
            run: 2,
            items: 7,
            closure: "ü".into(),
            place: "main.rs:1:2".into(),
        };
        let ended = |verdict, rank, stopped| {
            Message::End(Ended {
                verdict,
                counts: [1, 2, 3, usize::MAX],
                rank,
                stopped,
            })
        };
        let messages = [
            Message::Hello(batch),
            Message::Want(usize::MAX),
            Message::Failed(3, "bad\n".into()),
            Message::Done([1, 2, 3], vec![4..5, 6..9], None),
            Message::Done([1, 2, 3], Vec::new(), Some(String::new())),
            Message::Chunk(5..8),
            Message::NoMore,
            Message::Lowest(9),
            Message::Stop,
            ended(Verdict::Complete, None, None),
            ended(
                Verdict::Failed {
                    index: 3,
                    error: "bad".into(),
                },
                Some(1),
                Some((2, "SIGTERM".into())),
            ),
            ended(
                Verdict::Undecided {
                    first: Some((8, "bad".into())),
                    below: vec![0..8],
                },
                None,
                Some((0, "deadline passed".into())),
            ),
            Message::Refused("another".into()),
        ];
        for message in messages {
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes).as_ref(), Some(&message));
            for len in 0..bytes.len() {
                assert_eq!(Message::decode(&bytes[..len]), None);
            }
            assert_eq!(Message::decode(&[&*bytes, &[0]].concat()), None);
        }
        assert_eq!(Message::decode(&[99]), None);
    }
}
