//! Undoing one compression: all frames, streams or members of it that follow each other.

use super::codec::{Codec, MAGIC_SIZE, is_legacy_lz4, skippable_frame};
use super::input::Input;
use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;
use std::io::{self, BufRead as _, Read};

/// The most memory that an xz stream may want, in KiB: what `xz -9` packs needs 64 MiB.
const XZ_MEMORY: u32 = 256 << 10;
/// The largest window that a zstd frame may want, as a power of two: `zstd --ultra -22` needs 27.
const ZSTD_WINDOW: u32 = 28;

/// A decoder of one member, which stops reading its input where the member ends.
enum Member<R: Read> {
    Zstd(zstd::Decoder<'static, R>),
    Lz4(Box<FrameDecoder<R>>),
    /// The older format, whose frames end where the file does.
    LegacyLz4(Box<FrameDecoder<R>>),
    Xz(Box<XzReader<R>>),
    Gzip(Box<GzDecoder<R>>),
    Bzip2(Box<BzDecoder<R>>),
}

type Packed<'a> = Input<Box<dyn Read + 'a>>;

impl<'a> Member<Packed<'a>> {
    fn new(codec: Codec, mut input: Packed<'a>) -> io::Result<Self> {
        Ok(match codec {
            Codec::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(input)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW)?;
                Member::Zstd(decoder)
            }
            Codec::Lz4 if is_legacy_lz4(input.peek(MAGIC_SIZE)) => {
                Member::LegacyLz4(Box::new(FrameDecoder::new(input)))
            }
            Codec::Lz4 => Member::Lz4(Box::new(FrameDecoder::new(input))),
            Codec::Xz => Member::Xz(Box::new(XzReader::new_mem_limit(input, false, XZ_MEMORY))),
            Codec::Gzip => Member::Gzip(Box::new(GzDecoder::new(input))),
            Codec::Bzip2 => Member::Bzip2(Box::new(BzDecoder::new(input))),
        })
    }

    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Member::Zstd(decoder) => decoder.read(out),
            // It takes an end between two blocks for the end of the frame.
            Member::Lz4(decoder) => match decoder.read(out)? {
                0 if decoder.get_ref().exhausted => Err(io::ErrorKind::UnexpectedEof.into()),
                count => Ok(count),
            },
            Member::LegacyLz4(decoder) => decoder.read(out),
            Member::Xz(decoder) => decoder.read(out),
            Member::Gzip(decoder) => decoder.read(out),
            Member::Bzip2(decoder) => decoder.read(out),
        }
    }

    /// What lies behind a member that was read to its end.
    fn into_inner(self) -> Packed<'a> {
        match self {
            Member::Zstd(decoder) => decoder.finish(),
            Member::Lz4(decoder) | Member::LegacyLz4(decoder) => decoder.into_inner(),
            Member::Xz(decoder) => decoder.into_inner(),
            Member::Gzip(decoder) => decoder.into_inner(),
            Member::Bzip2(decoder) => decoder.into_inner(),
        }
    }
}

/// Where a [`Members`] is.
enum State<'a> {
    /// Before a member, the first one or another.
    Between(Packed<'a>),
    Within(Member<Packed<'a>>),
    /// Behind the last one, or an error.
    Done,
}

/// Reads what all members of a compressed input hold. What follows the last one and is none is passed over, as the
/// codecs' own programs do.
pub(super) struct Members<'a> {
    codec: Codec,
    state: State<'a>,
}

impl<'a> Members<'a> {
    pub(super) fn new(codec: Codec, input: Packed<'a>) -> Self {
        Members { codec, state: State::Between(input) }
    }

    fn next(&self, mut input: Packed<'a>) -> io::Result<State<'a>> {
        while let Some(size) = skippable_frame(input.peek(MAGIC_SIZE)) {
            io::copy(&mut input.by_ref().take(size), &mut io::sink())?;
        }
        if self.codec == Codec::Xz {
            skip_zeros(&mut input)?;
        }
        let is_member = Codec::of(input.peek(MAGIC_SIZE)) == Some(self.codec);
        Ok(if is_member { State::Within(Member::new(self.codec, input)?) } else { State::Done })
    }
}

/// xz pads streams with zeros.
fn skip_zeros(input: &mut Packed<'_>) -> io::Result<()> {
    loop {
        let held = input.fill_buf()?;
        let zeros = held.iter().take_while(|&&byte| byte == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        input.consume(zeros);
    }
}

impl Read for Members<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Done) {
                State::Between(input) => self.next(input)?,
                State::Within(mut member) => match member.read(out)? {
                    0 => State::Between(member.into_inner()),
                    count => {
                        self.state = State::Within(member);
                        return Ok(count);
                    }
                },
                State::Done => return Ok(0),
            };
        }
    }
}
