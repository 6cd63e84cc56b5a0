//! `pycore sample`.

use super::args::{ProfileFormat, SampleArgs};
use super::output::{self, Face};
use super::{FAILED, stderr};
use crate::render::{self, TextOptions};
use crate::report::{Profile, SampledThreads};
use crate::sample::{self, Progress, SampleOptions};
use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// No Python stack was met.
const NOTHING_MET: u8 = 1;
/// What a shell adds to the number of the signal that ended a command.
const BY_SIGNAL: i32 = 128;

/// Samples a process, or a command that it starts.
///
/// # Errors
/// The process cannot be sampled, the command not be started, or the profile not be written.
pub(super) fn run(args: &SampleArgs) -> Result<ExitCode> {
    let format = format(args)?;
    if let Some(folder) = args.output.as_deref().and_then(Path::parent)
        && !folder.as_os_str().is_empty()
        && !folder.is_dir()
    {
        bail!("cannot write into {}: there is no such folder", folder.display());
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second one ends pycore at once.
        flag::register_conditional_default(signal, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    let (program, arguments) = match (args.pid, args.command.split_first()) {
        (Some(pid), _) => {
            let profile = sampled(pid, args, &stop)?;
            write(&profile, args, format)?;
            let met = !profile.stacks.is_empty();
            return Ok(if met { ExitCode::SUCCESS } else { ExitCode::from(NOTHING_MET) });
        }
        (None, Some(command)) => command,
        (None, None) => bail!("give a process id, or a command behind `--`"),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .spawn()
        .with_context(|| format!("cannot start {}", Path::new(program).display()))?;
    let done = sampled(child.id(), args, &stop).and_then(|profile| write(&profile, args, format));
    if let Err(error) = &done {
        stderr::error(error);
    }
    let status = wait(&mut child)?;
    Ok(if done.is_ok() { exit_code(status) } else { ExitCode::from(FAILED) })
}

fn options(args: &SampleArgs) -> SampleOptions {
    const DEFAULT: Duration = Duration::from_secs(10);
    let given = args.duration;
    SampleOptions {
        rate: args.rate,
        duration: if args.pid.is_some() { Some(given.unwrap_or(DEFAULT)) } else { given },
        threads: match (args.gil, args.idle) {
            (true, _) => SampledThreads::Gil,
            (false, true) => SampledThreads::All,
            (false, false) => SampledThreads::Running,
        },
        blocking: !args.nonblocking,
        lines: !args.function,
        wait: args.pid.is_none(),
        layout: args.layout.clone(),
    }
}

fn sampled(pid: u32, args: &SampleArgs, stop: &AtomicBool) -> Result<Profile> {
    let options = options(args);
    let time =
        options.duration.map_or("until it ends".to_owned(), |time| format!("for {} s", time.as_secs_f64()));
    stderr::note(&format!("sampling process {pid} {} times a second {time}; Ctrl-C ends it", options.rate));
    let mut watch = |Progress { taken, missed, elapsed }| {
        let rate = taken as f64 / elapsed.as_secs_f64().max(0.001);
        stderr::status(&format!(
            "{:.1} s, {taken} samples ({rate:.0} a second), {missed} missed",
            elapsed.as_secs_f64()
        ));
    };
    let profile = sample::sample(pid, &options, stop, &mut watch);
    stderr::status("");
    Ok(profile?)
}

/// Writes the profile to where it is wanted, and the summary to where people look: standard output, unless that has
/// something else on it.
fn write(profile: &Profile, args: &SampleArgs, format: Option<ProfileFormat>) -> Result<()> {
    let is_stdout = args.output.as_deref().is_none_or(|path| path == Path::new("-"));
    let path = args.output.as_deref().filter(|_| !is_stdout);
    let summary = |out: &mut dyn Write, face: Face| {
        render::profile_summary(profile, out, TextOptions { colour: face.colour })
    };
    let Some(format) = format else {
        return if args.pid.is_some() { output::stdout(summary) } else { output::stderr(summary) };
    };
    if profile.stacks.is_empty() && format == ProfileFormat::Flamegraph {
        stderr::note("no flame graph is written, as no stack was met");
    } else {
        output::to(path, |out, _| written(profile, out, args, format))?;
    }
    output::stderr(summary)?;
    if let Some(path) = path {
        stderr::note(&format!("the profile is in {}", path.display()));
    }
    Ok(())
}

fn written(
    profile: &Profile,
    out: &mut dyn Write,
    args: &SampleArgs,
    format: ProfileFormat,
) -> io::Result<()> {
    match format {
        ProfileFormat::Collapsed => render::collapsed(profile, out, args.threads),
        ProfileFormat::Flamegraph => render::flamegraph(profile, out, args.threads),
        ProfileFormat::Speedscope => render::speedscope(profile, out),
        ProfileFormat::Json => render::json(profile, out),
    }
}

/// The format that is asked for, or that the file's name ends with.
fn format(args: &SampleArgs) -> Result<Option<ProfileFormat>> {
    if args.format.is_some() {
        return Ok(args.format);
    }
    let Some(path) = &args.output else { return Ok(None) };
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let endings = [
        (".svg", ProfileFormat::Flamegraph),
        (".speedscope.json", ProfileFormat::Speedscope),
        (".speedscope", ProfileFormat::Speedscope),
        (".json", ProfileFormat::Json),
        (".collapsed", ProfileFormat::Collapsed),
        (".folded", ProfileFormat::Collapsed),
        (".txt", ProfileFormat::Collapsed),
    ];
    match endings.iter().find(|(ending, _)| name.ends_with(ending)) {
        Some((_, format)) => Ok(Some(*format)),
        None => bail!(
            "{} does not tell the format: name it .svg, .speedscope.json, .json or .collapsed, or say --format",
            path.display()
        ),
    }
}

fn wait(child: &mut Child) -> Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    stderr::note(&format!("process {} still runs, and is waited for", child.id()));
    Ok(child.wait()?)
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(BY_SIGNAL + status.signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Arguments, Command};
    use clap::Parser as _;

    fn args(words: &[&str]) -> SampleArgs {
        match Arguments::try_parse_from([&["pycore", "sample"], words].concat()).unwrap().command {
            Command::Sample(args) => args,
            _ => unreachable!(),
        }
    }

    #[test]
    fn the_name_of_the_file_tells_the_format() {
        let found = |words: &[&str]| format(&args(&[&["1"], words].concat())).ok();
        assert_eq!(found(&[]), Some(None));
        assert_eq!(found(&["-o", "a/b.svg"]), Some(Some(ProfileFormat::Flamegraph)));
        assert_eq!(found(&["-o", "b.Speedscope.JSON"]), Some(Some(ProfileFormat::Speedscope)));
        assert_eq!(found(&["-o", "b.json"]), Some(Some(ProfileFormat::Json)));
        assert_eq!(found(&["-o", "b.folded"]), Some(Some(ProfileFormat::Collapsed)));
        assert_eq!(found(&["-o", "b.bin"]), None);
        assert_eq!(found(&["-o", "b.bin", "-f", "json"]), Some(Some(ProfileFormat::Json)));
    }

    #[test]
    fn a_process_is_sampled_for_a_time_and_a_command_to_its_end() {
        assert_eq!(options(&args(&["1"])).duration, Some(Duration::from_secs(10)));
        let of_command = args(&["--gil", "--", "python3", "-c", "pass"]);
        assert_eq!(options(&of_command).duration, None);
        assert_eq!(options(&of_command).threads, SampledThreads::Gil);
        assert_eq!(of_command.command.len(), 3);
        assert!(Arguments::try_parse_from(["pycore", "sample"]).is_err());
        assert!(Arguments::try_parse_from(["pycore", "sample", "1", "--", "python3"]).is_err());
    }

    #[test]
    fn the_exit_code_is_that_of_the_command() {
        let code = |raw| std::format!("{:?}", exit_code(ExitStatus::from_raw(raw)));
        assert_eq!(code(3 << 8), std::format!("{:?}", ExitCode::from(3)));
        assert_eq!(code(9), std::format!("{:?}", ExitCode::from(137)));
    }
}
