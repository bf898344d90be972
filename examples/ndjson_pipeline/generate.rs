//! Generates sample records: the log of a shop, always the same.

use std::io::{self, ErrorKind, Read, Write};

/// How many bytes are generated at once.
const BLOCK: usize = 64 * 1024;

const USERS: [&str; 6] = [
    "ada",
    "Zoë",
    "李雷",
    "O'Brien",
    r#"Dwayne \"The Rock\" Johnson"#,
    r"back\\slash\tand\u0001control",
];
const METHODS: [&str; 4] = ["GET", "GET", "POST", "DELETE"];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 \
     Safari/605.1.15",
    "curl/8.9.1",
];

/// Lines of JSON, up to a number of bytes.
pub(crate) struct Generated {
    left: u64,
    line: u64,
    bad_lines: Vec<u64>,
    random: u64,
    block: Vec<u8>,
    /// How many bytes of the block have been read.
    read: usize,
}

impl Generated {
    /// The bad lines, counted from 1, are truncated in the middle.
    pub(crate) fn new(size: u64, bad_lines: &[u64]) -> Generated {
        Generated {
            left: size,
            line: 0,
            bad_lines: bad_lines.to_owned(),
            random: 0,
            block: Vec::new(),
            read: 0,
        }
    }

    fn make_block(&mut self) -> io::Result<()> {
        self.read = 0;
        self.block.clear();
        if self.left == 0 {
            let beyond = self.bad_lines.iter().find(|line| **line > self.line);
            return beyond.map_or(Ok(()), |line| {
                let message = format!("--bad-line {line} is beyond the last line");
                Err(io::Error::new(ErrorKind::InvalidInput, message))
            });
        }
        while self.left > 0 && self.block.len() < BLOCK {
            let begin = self.block.len();
            self.make_line()?;
            let length = self.block.len() - begin;
            self.left = self.left.saturating_sub(length as u64);
        }
        Ok(())
    }

    fn make_line(&mut self) -> io::Result<()> {
        self.line += 1;
        let begin = self.block.len();
        let id = self.line;
        let at = 1_767_225_600_000 + 50 * id + self.below(50);
        let user = self.one_of(&USERS);
        let method = self.one_of(&METHODS);
        let item = self.below(10_000);
        let status = self.one_of(&[200, 200, 200, 201, 304, 404, 500]);
        // Only a few are slow.
        let ms = self.below(40) * self.below(40) * self.below(40) / 60;
        let bytes = self.below(1 << 20);
        let agent = self.one_of(&AGENTS);
        let (trace, host, retries) = (self.next(), self.below(20), self.below(3));
        write!(
            self.block,
            r#"{{"id":{id},"at":{at},"user":"{user}","method":"{method}","#
        )?;
        write!(
            self.block,
            r#""path":"/shop/items/{item}","status":{status},"ms":{ms},"bytes":{bytes},"#
        )?;
        write!(self.block, r#""agent":"{agent}","tags":["eu","web"],"#)?;
        write!(
            self.block,
            r#""debug":{{"trace":"{trace:016x}","host":"web-{host:02}","retries":{retries}}}}}"#
        )?;
        if self.bad_lines.contains(&id) {
            let length = self.block.len() - begin;
            self.block.truncate(begin + length / 2);
        }
        self.block.push(b'\n');
        Ok(())
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let choice = self.below(choices.len() as u64);
        choices[usize::try_from(choice).expect("it is an index")]
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Splitmix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Read for Generated {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.block.len() {
            self.make_block()?;
        }
        let length = (&self.block[self.read..]).read(into)?;
        self.read += length;
        Ok(length)
    }
}
