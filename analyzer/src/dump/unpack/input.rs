//! A buffered input that can be looked at before it is read.

use std::io::{self, BufRead, Read};

/// How much is read at a time, in bytes.
const SIZE: usize = 1 << 16;

/// A reader with a look ahead.
pub(super) struct Input<R> {
    inner: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// What ended reading ahead; told once the bytes before it were read.
    failed: Option<io::Error>,
    /// Whether somebody wanted to read behind the end.
    pub(super) exhausted: bool,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Input {
            inner,
            buffer: vec![0; SIZE].into_boxed_slice(),
            start: 0,
            end: 0,
            failed: None,
            exhausted: false,
        }
    }

    /// The next bytes, at most `size`, fewer only before the end or an error.
    pub(super) fn peek(&mut self, size: usize) -> &[u8] {
        if self.end - self.start < size {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.end - self.start < size && self.failed.is_none() {
            match self.inner.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.failed = Some(error),
            }
        }
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        held.get(..size).unwrap_or(held)
    }

    /// Why there is nothing more to [`peek`](Input::peek) at, where that is not because it ends.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            self.start = 0;
            self.end = self.inner.read(&mut self.buffer)?;
            self.exhausted |= self.end == 0;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut held = self.fill_buf()?;
        let count = held.read(out)?;
        self.consume(count);
        Ok(count)
    }
}
