//! Packing a file that is written.

use super::unpack::Progress;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use lzma_rust2::{XzOptions, XzWriter};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How hard zstd tries: what is packed is kept and sent about, so size counts more than time.
const ZSTD_LEVEL: i32 = 19;
const XZ_PRESET: u32 = 6;
/// How much is gathered before it is packed, in bytes.
const BUFFER: usize = 1 << 18;

/// The compressions that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packer {
    /// None.
    Plain,
    /// RFC 8878.
    Zstd,
    /// The LZ4 frame format.
    Lz4,
    /// The .xz file format.
    Xz,
    /// RFC 1952.
    Gzip,
}

impl Packer {
    /// The one that the end of a file's name asks for.
    pub fn by_name(path: &Path) -> Packer {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("zst") => Packer::Zstd,
            Some("lz4") => Packer::Lz4,
            Some("xz") => Packer::Xz,
            Some("gz") => Packer::Gzip,
            _ => Packer::Plain,
        }
    }
}

/// Lets `body` write what is packed into `out`. The same bytes give the same file: none has a time or a name in it.
///
/// # Errors
/// Those of `body` and of `out`.
pub fn pack<T>(
    packer: Packer,
    progress: Option<Progress>,
    out: &mut dyn Write,
    body: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let buffered = |inner: &mut dyn Write| {
        let mut buffer = BufWriter::with_capacity(BUFFER, Watched { inner, done: 0, progress });
        let done = body(&mut buffer)?;
        buffer.flush()?;
        if let Some(progress) = progress {
            progress("", 0, None);
        }
        Ok(done)
    };
    match packer {
        Packer::Plain => buffered(out),
        Packer::Zstd => {
            let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
            encoder.include_checksum(true)?;
            let done = buffered(&mut encoder)?;
            encoder.finish()?;
            Ok(done)
        }
        Packer::Lz4 => {
            let info = FrameInfo::new()
                .block_mode(BlockMode::Linked)
                .block_size(BlockSize::Max256KB)
                .content_checksum(true);
            let mut encoder = FrameEncoder::with_frame_info(info, out);
            let done = buffered(&mut encoder)?;
            encoder.finish()?;
            Ok(done)
        }
        Packer::Xz => {
            let mut encoder = XzWriter::new(out, XzOptions::with_preset(XZ_PRESET))?;
            let done = buffered(&mut encoder)?;
            encoder.finish()?;
            Ok(done)
        }
        Packer::Gzip => {
            let mut encoder = GzEncoder::new(out, flate2::Compression::best());
            let done = buffered(&mut encoder)?;
            encoder.finish()?;
            Ok(done)
        }
    }
}

/// Tells how far writing is.
struct Watched<'a> {
    inner: &'a mut dyn Write,
    done: u64,
    progress: Option<Progress>,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.done += count as u64;
        if let Some(progress) = self.progress {
            progress("packing", self.done, None);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes the new file `path`; until it is whole, it has another name beside that one.
///
/// # Errors
/// Those of `body`; there is a file of that name already, or none can be made.
pub fn into_new_file<T>(path: &Path, body: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    let done = body(&mut file)?;
    file.persist_noclobber(path)?;
    Ok(done)
}
