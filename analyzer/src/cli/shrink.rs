//! `pycore shrink`.

use super::args::{Compress, ShrinkArgs};
use super::{options, output};
use crate::analysis;
use crate::dump::Packer;
use anyhow::{Context as _, Result, bail};
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

/// Writes a small core that gives the same report.
///
/// # Errors
/// When the core cannot be read or the small one not be written.
pub(super) fn run(args: &ShrinkArgs) -> Result<ExitCode> {
    let to_stdout = args.output == Path::new("-");
    if to_stdout && std::io::stdout().is_terminal() {
        bail!("standard output is a terminal; send the small core into a file: -o small.core.zst");
    }
    let smaller = analysis::shrink(&args.core, &options::shrink(args)?)?;
    let packer = args.compress.map_or_else(|| Packer::by_name(&args.output), packer);
    let written = if to_stdout {
        let mut written = None;
        output::stdout(|out, _| {
            written = Some(smaller.write(out, packer)?);
            Ok(())
        })?;
        written.unwrap_or_default()
    } else {
        smaller
            .write_new(&args.output, packer)
            .with_context(|| format!("cannot write {}", args.output.display()))?
    };
    log::info!("{} pages kept", written.pages);
    if written.unreadable > 0 {
        log::info!("{} pages are not at hand", written.unreadable);
    }
    let output = args.output.display();
    match smaller.hidden_in_place_only() {
        None => log::warn!(
            "{output} contains memory of the process and may hold secrets; --redact overwrites them"
        ),
        Some(0) => {}
        Some(count) => log::warn!(
            "{output}: {count} values that look like secrets are names of the program, too: some copies are left"
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn packer(compress: Compress) -> Packer {
    match compress {
        Compress::None => Packer::Plain,
        Compress::Zstd => Packer::Zstd,
        Compress::Lz4 => Packer::Lz4,
        Compress::Xz => Packer::Xz,
        Compress::Gzip => Packer::Gzip,
    }
}
