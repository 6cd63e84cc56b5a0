//! Which threads run, as the kernel shows it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

/// The most files that are kept open.
const MAX_OPEN: usize = 256;
/// The most threads that are listed.
const MAX_TASKS: usize = 1 << 22;

/// The threads of a process by the ids that it knows them by itself.
pub(super) struct Tasks {
    pid: u32,
    /// Whether the process is in a pid namespace of its own, in which threads have other ids.
    inner: bool,
    known: HashMap<u32, Task>,
    open: usize,
}

struct Task {
    /// Its id in this namespace.
    tid: u32,
    /// Where its state is shown, if it is kept open.
    file: Option<StateFile>,
}

impl Tasks {
    pub(super) fn new(pid: u32) -> Self {
        let inner = own_id(&format!("/proc/{pid}/status")).is_some_and(|own| own != pid);
        Tasks { pid, inner, known: HashMap::new(), open: 0 }
    }

    /// The id of the thread `own` in this namespace.
    pub(super) fn id_here(&mut self, own: u32) -> Option<u32> {
        self.task(own).map(|task| task.tid)
    }

    /// Whether the thread `own` runs or would if it got a processor; `None` if it has ended.
    pub(super) fn is_running(&mut self, own: u32) -> Option<bool> {
        let pid = self.pid;
        let task = self.task(own)?;
        let running = match &task.file {
            Some(file) => file.says_running(),
            None => StateFile::open(pid, task.tid)?.says_running(),
        };
        if running.is_none() {
            self.forget(own);
        }
        running
    }

    /// The operating system's name of the thread `own`.
    pub(super) fn name(&mut self, own: u32) -> Option<String> {
        let (pid, tid) = (self.pid, self.id_here(own)?);
        let name = fs::read(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
        Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
    }

    fn task(&mut self, own: u32) -> Option<&Task> {
        if !self.known.contains_key(&own) {
            let tid = if self.inner { self.find(own)? } else { own };
            let file = StateFile::open(self.pid, tid)?;
            let keep = self.open < MAX_OPEN;
            self.open += usize::from(keep);
            self.known.insert(own, Task { tid, file: keep.then_some(file) });
        }
        self.known.get(&own)
    }

    fn forget(&mut self, own: u32) {
        if let Some(task) = self.known.remove(&own) {
            self.open -= usize::from(task.file.is_some());
        }
    }

    /// The thread whose status says that it calls itself `own`.
    fn find(&self, own: u32) -> Option<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?.take(MAX_TASKS);
        let mut ids = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
        ids.find(|tid: &u32| own_id(&format!("/proc/{}/task/{tid}/status", self.pid)) == Some(own))
    }
}

/// The last id of `NSpid` in a status: the one in the innermost namespace (proc_pid_status(5)).
fn own_id(status: &str) -> Option<u32> {
    let status = fs::read_to_string(status).ok()?;
    status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_ascii_whitespace().last()?.parse().ok()
}

/// A file that tells whether a thread runs.
enum StateFile {
    /// `/proc/PID/task/TID/syscall`: `running`, or what it waits in (proc_pid_syscall(5)); the kernel makes it several
    /// times faster than `stat`.
    Call(File),
    /// `/proc/PID/task/TID/stat`: the letter behind the name (proc_pid_stat(5)).
    Stat(File),
}

impl StateFile {
    /// `None` if there is no such thread.
    fn open(pid: u32, tid: u32) -> Option<Self> {
        let open = |name| File::open(format!("/proc/{pid}/task/{tid}/{name}"));
        // Where it may not be read, or is not built in, the first read says so.
        let call = open("syscall").ok().map(StateFile::Call).filter(|call| call.says_running().is_some());
        call.or_else(|| Some(StateFile::Stat(open("stat").ok()?)))
    }

    fn says_running(&self) -> Option<bool> {
        let mut text = [0; 256];
        match self {
            StateFile::Call(file) => {
                let size = file.read_at(text.get_mut(..16)?, 0).ok().filter(|&size| size > 0)?;
                Some(text.get(..size)?.starts_with(b"running"))
            }
            StateFile::Stat(file) => {
                let size = file.read_at(&mut text, 0).ok().filter(|&size| size > 0)?;
                let text = text.get(..size)?;
                let name_end = text.iter().rposition(|&byte| byte == b')')?;
                let letter = text.get(name_end + 2)?;
                (!b"ZXx".contains(letter)).then_some(*letter == b'R')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;

    /// A thread that spins or waits until it is told to end.
    fn thread(spin: bool, end: &Arc<AtomicBool>) -> (u32, JoinHandle<()>) {
        let (tell, told) = std::sync::mpsc::channel();
        let end = Arc::clone(end);
        let thread = std::thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw().cast_unsigned()).unwrap();
            while !end.load(Ordering::SeqCst) {
                if spin { std::hint::spin_loop() } else { std::thread::park() }
            }
        });
        (told.recv().unwrap(), thread)
    }

    #[test]
    fn who_waits_does_not_run() {
        let end = Arc::new(AtomicBool::new(false));
        let (spinner, spinning) = thread(true, &end);
        let (waiter, waiting) = thread(false, &end);
        let mut tasks = Tasks::new(std::process::id());
        let soon = |mut is_so: Box<dyn FnMut() -> bool + '_>| {
            (0..1000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                is_so()
            })
        };
        assert!(soon(Box::new(|| tasks.is_running(waiter) == Some(false))));
        assert_eq!(tasks.is_running(spinner), Some(true));
        let stat = |tid| StateFile::Stat(File::open(format!("/proc/self/task/{tid}/stat")).unwrap());
        assert_eq!([waiter, spinner].map(|tid| stat(tid).says_running()), [Some(false), Some(true)]);
        assert_eq!(tasks.id_here(waiter), Some(waiter));
        end.store(true, Ordering::SeqCst);
        waiting.thread().unpark();
        waiting.join().unwrap();
        spinning.join().unwrap();
        assert!(soon(Box::new(|| tasks.is_running(waiter).is_none() && tasks.is_running(spinner).is_none())));
    }
}
