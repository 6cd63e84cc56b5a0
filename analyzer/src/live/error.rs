//! Why a live process could not be looked into, and what to do about it.

use std::io;

/// Why a live process could not be looked into.
#[derive(Debug, thiserror::Error)]
#[error("process {pid}: {problem}")]
pub struct LiveError {
    /// The process id as given by the user.
    pub pid: u32,
    /// What is wrong.
    #[source]
    pub problem: LiveProblem,
}

/// What is wrong. Each message ends with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum LiveProblem {
    /// Nothing has that id.
    #[error("there is none with this id; `ps -e` lists them (in a container: those of the container)")]
    Missing,
    /// It ended, and its parent did not take note of it.
    #[error("it has ended, and waits as a zombie for its parent, process {parent}, to take note of it")]
    Zombie {
        /// Its parent.
        parent: i32,
    },
    /// It ended while it was looked at.
    #[error("it ended while pycore looked at it")]
    Ended,
    /// It is a thread of a process with another id.
    #[error("this is a thread of process {process}; give that id")]
    Thread {
        /// The id of its process.
        process: i32,
    },
    /// It is a part of the kernel.
    #[error("this is a thread of the kernel ({name}), which runs no program")]
    Kernel {
        /// Its name.
        name: String,
    },
    /// It is of a machine that is not supported.
    #[error(
        "it is {kind}; pycore reads 64-bit processes of x86_64 and aarch64, of the machine that it runs on"
    )]
    Unsupported {
        /// What it is.
        kind: String,
    },
    /// Another process traces it.
    #[error(
        "process {tracer} ({name}) already traces it, and only one can: end that debugger or tracer, or read without \
         stopping the process: --nonblocking"
    )]
    Traced {
        /// The tracer.
        tracer: i32,
        /// The tracer's name.
        name: String,
    },
    /// The operating system refuses.
    #[error("{what} is refused ({error}): {advice}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// What the operating system says.
        error: io::Error,
        /// Why that is likely to be, and what to do.
        advice: String,
    },
    /// Something else failed.
    #[error("{what} failed: {error}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// What the operating system says.
        error: io::Error,
    },
}

impl LiveProblem {
    /// As the problem of the process `pid`.
    pub(super) fn of(self, pid: u32) -> LiveError {
        LiveError { pid, problem: self }
    }
}
