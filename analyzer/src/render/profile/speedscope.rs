//! The file format of speedscope: one sampled profile for each thread, in the order of time.

use super::thread_label;
use crate::render::sanitize::{Guard, Notation};
use crate::report::{Profile, ProfileFrame, ProfileThread};
use serde::Serialize;
use std::io::{self, BufWriter, Write};

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: String,
    name: String,
    #[serde(rename = "activeProfileIndex")]
    active_profile: usize,
    shared: Shared<'a>,
    profiles: Vec<Sampled>,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: &'a str,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sampled {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    unit: &'static str,
    start_value: f64,
    end_value: f64,
    /// Indices of frames, outermost first.
    samples: Vec<Vec<usize>>,
    /// How long each was met, in `unit`.
    weights: Vec<f64>,
}

/// Writes a profile as speedscope's JSON.
///
/// # Errors
/// Those of `out`.
pub fn speedscope(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        exporter: concat!("pycore@", env!("CARGO_PKG_VERSION")).to_owned(),
        name: format!("process {}", profile.pid),
        active_profile: busiest(profile),
        shared: Shared { frames: profile.frames.iter().map(frame).collect() },
        profiles: profile.threads.iter().map(|thread| sampled(profile, thread)).collect(),
    };
    let mut out = BufWriter::with_capacity(1 << 16, Guard::new(out, Notation::Json));
    serde_json::to_writer(&mut out, &file)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn busiest(profile: &Profile) -> usize {
    let threads = profile.threads.iter().enumerate();
    threads.rev().max_by_key(|(_, thread)| thread.samples).map_or(0, |(index, _)| index)
}

fn frame(frame: &ProfileFrame) -> Frame<'_> {
    Frame { name: &frame.function, file: &frame.file, line: frame.line }
}

fn sampled(profile: &Profile, thread: &ProfileThread) -> Sampled {
    let period = 1.0 / f64::from(profile.sampling.rate.max(1));
    let runs = thread.timeline.iter().filter_map(|&(stack, count)| Some((profile.stacks.get(stack)?, count)));
    let (samples, weights): (Vec<_>, Vec<_>) = runs
        .map(|(stack, count)| (stack.frames.iter().rev().copied().collect(), count as f64 * period))
        .unzip();
    Sampled {
        kind: "sampled",
        name: thread_label(thread),
        unit: "seconds",
        start_value: 0.0,
        end_value: thread.samples as f64 * period,
        samples,
        weights,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::profile::samples::profile;

    #[test]
    fn each_thread_is_a_profile_in_the_order_of_time() {
        let mut out = Vec::new();
        speedscope(&profile(), &mut out).unwrap();
        assert!(!out.contains(&0x1b));
        let file: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(file["profiles"].as_array().unwrap().len(), 2);
        assert_eq!(file["activeProfileIndex"], 0);
        let first = &file["profiles"][0];
        assert_eq!(first["name"], "MainThread (1)");
        assert_eq!(first["samples"], serde_json::json!([[0, 1, 2], [0], [0, 1, 2]]));
        assert_eq!(first["weights"], serde_json::json!([0.02, 0.01, 0.01]));
        assert_eq!(first["endValue"], 0.04);
        assert_eq!(file["shared"]["frames"][3]["name"], "<\u{1b}[2J\">;\n&");
    }
}
