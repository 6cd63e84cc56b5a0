//! Why a process may not be looked into, and what to do about it.

use super::error::LiveProblem;
use super::place::Place;
use procfs::process::Process;
use std::io;
use std::path::Path;

/// `CAP_SYS_PTRACE` of Linux `include/uapi/linux/capability.h`.
const CAP_SYS_PTRACE: u64 = 1 << 19;

/// The thread that traces the thread `tid`.
pub(super) fn tracer_of(tid: u32) -> Option<i32> {
    let status = Process::new(tid.cast_signed()).ok()?.status().ok()?;
    Some(status.tracerpid).filter(|&tracer| tracer != 0)
}

/// What to say when `what` failed with `error` for a process, which `tracer` traces.
pub(super) fn problem(
    what: &'static str,
    error: io::Error,
    place: Place,
    tracer: Option<i32>,
) -> LiveProblem {
    if let Some(tracer) = tracer {
        let name = Process::new(tracer).and_then(|tracer| tracer.stat()).map(|stat| stat.comm);
        return LiveProblem::Traced { tracer, name: name.unwrap_or_else(|_| "?".to_owned()) };
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => LiveProblem::Refused { what, advice: advice(place), error },
        io::ErrorKind::NotFound => LiveProblem::Ended,
        _ if error.raw_os_error() == Some(nix::libc::ESRCH) => LiveProblem::Ended,
        _ => LiveProblem::Failed { what, error },
    }
}

/// The most likely reason first.
fn advice(place: Place) -> String {
    let status = Process::new(place.pid.cast_signed()).and_then(|process| process.status()).ok();
    let own = Process::myself().and_then(|own| own.status()).ok();
    let may_trace_all = own.as_ref().is_some_and(|own| own.capeff & CAP_SYS_PTRACE != 0);
    let user = own.map(|own| own.euid).unwrap_or_default();
    let owners = status.map(|status| [status.ruid, status.euid, status.suid]);
    let in_container = Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists();
    let sandbox = "in a container, start it with the capability SYS_PTRACE (docker run --cap-add SYS_PTRACE; \
        securityContext.capabilities in Kubernetes)";
    match (yama(), owners) {
        (Some(3), _) => {
            "/proc/sys/kernel/yama/ptrace_scope is 3: nobody may trace on this machine until it is booted \
            anew with another value; take a core instead (kill -ABRT) and analyze that"
                .to_owned()
        }
        _ if may_trace_all => format!(
            "pycore has the capability SYS_PTRACE, so a sandbox (seccomp, SELinux, AppArmor) or another user namespace \
             stands between; {sandbox}, or run pycore outside of it"
        ),
        (_, Some(owners)) if owners.iter().any(|&owner| owner != user) => {
            let [owner, ..] = owners;
            let sandbox = if in_container { format!("; {sandbox}") } else { String::new() };
            format!(
                "it belongs to user {owner} and pycore runs as user {user}: run it as that user (sudo -u '#{owner}' \
                 pycore ...) or as root (sudo pycore ...){sandbox}"
            )
        }
        (Some(scope @ 1..), _) => format!(
            "/proc/sys/kernel/yama/ptrace_scope is {scope}, so {}: run pycore as root (sudo pycore ...){}, or {sandbox}",
            if scope == 1 { "only a parent may trace a process" } else { "only root may trace" },
            if scope == 1 {
                ", allow it until the next boot (echo 0 | sudo tee /proc/sys/kernel/yama/ptrace_scope)"
            } else {
                ""
            }
        ),
        _ => format!(
            "the process may have changed its user or capabilities, or forbidden it (PR_SET_DUMPABLE): run pycore as \
             root (sudo pycore ...); {sandbox}"
        ),
    }
}

/// What the security module Yama allows (Documentation/admin-guide/LSM/Yama.rst); `None` without it.
fn yama() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?.trim().parse().ok()
}
