//! Threads that are stopped for a moment.

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// Threads that stand still until this is dropped. Should pycore end before, the kernel lets them go.
///
/// They are seized for each halt anew: between two halts nobody traces them, so signals reach them as ever and debuggers
/// can attach.
#[derive(Default)]
pub(super) struct Halt {
    held: Vec<Held>,
    /// How long it took them to stop.
    pub(super) waited: Duration,
}

struct Held {
    tid: Pid,
    /// The number of the signal that it was about to take, 0 for none.
    signal: libc::c_int,
}

impl Halt {
    /// Stops the threads `tids`, by the ids that they have in this namespace; those that have ended are left out. Waits
    /// until each has stopped, for which it needs a processor.
    ///
    /// # Errors
    /// They may not be traced.
    pub(super) fn stop(&mut self, tids: impl IntoIterator<Item = u32>) -> Result<(), Errno> {
        let began = Instant::now();
        let mut seized = Vec::new();
        let mut refused = None;
        for tid in tids.into_iter().map(|tid| Pid::from_raw(tid.cast_signed())) {
            match ptrace::seize(tid, ptrace::Options::empty()) {
                Ok(()) => {
                    if ptrace::interrupt(tid).is_ok() {
                        seized.push(tid);
                    }
                }
                Err(Errno::ESRCH) => {}
                // So the kernel refuses who ends just now, too.
                Err(Errno::EPERM) if has_ended(tid) => {}
                Err(error) => refused = Some(error),
            }
        }
        self.held.extend(seized.into_iter().filter_map(stopped));
        self.waited += began.elapsed();
        refused.map_or(Ok(()), Err)
    }
}

/// Whether a thread has ended, and is a zombie at most.
fn has_ended(tid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{tid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Waits until a thread has stopped; `None` if it has ended instead.
fn stopped(tid: Pid) -> Option<Held> {
    loop {
        match waitpid(tid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Stopped(_, signal)) => return Some(Held { tid, signal: signal as libc::c_int }),
            Ok(WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(_)) => {
                return Some(Held { tid, signal: 0 });
            }
            // A real-time signal, which `nix` has no name for.
            Err(Errno::EINVAL) => {
                let signal = ptrace::getsiginfo(tid).map_or(0, |signal| signal.si_signo);
                return Some(Held { tid, signal });
            }
            Ok(WaitStatus::Continued(_) | WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(_) => return None,
        }
    }
}

impl Drop for Halt {
    fn drop(&mut self) {
        for held in &self.held {
            detach(held);
        }
    }
}

/// Lets a thread go on, with the signal that it was about to take. `nix` knows no number of a real-time signal.
#[expect(unsafe_code, reason = "nix takes no real-time signal")]
fn detach(held: &Held) {
    // SAFETY: PTRACE_DETACH reads and writes no memory of ours: the address is ignored, the data is a number.
    let _ = unsafe {
        libc::ptrace(
            libc::PTRACE_DETACH,
            held.tid.as_raw(),
            std::ptr::null_mut::<libc::c_void>(),
            held.signal,
        )
    };
}
