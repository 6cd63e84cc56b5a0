//! A process that a debugger holds.

use crate::cache::{Cache, CachedMemory};
use crate::callbacks::{Callbacks, ListedThread, Refusal};
use crate::options::Options;
use pycore::addr::Address;
use pycore::dump::{FileSearch, ModuleFile};
use pycore::memory::{Fault, FaultCause, Memory, PAGE_SIZE, Range};
use pycore::process::{Inferior, Module, NativeThread, ProcessInfo, RefreshError};
use pycore::report::Source;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;

/// What a debugger serves of a process.
pub(crate) struct Debugged {
    callbacks: Callbacks,
    cache: Cache,
    search: FileSearch,
    source: Source,
    /// What the options say; of what is listed, nothing.
    told: ProcessInfo,
    process: ProcessInfo,
    /// Per module, its file, once it was asked for.
    files: Vec<OnceCell<ModuleFile>>,
}

impl Debugged {
    /// A process of which nothing was asked so far. `interrupted` is set when the user interrupts the debugger, and says
    /// to read nothing as long as it is.
    pub(crate) fn new(callbacks: Callbacks, options: &Options, interrupted: Rc<Cell<bool>>) -> Self {
        let told = options.process();
        Debugged {
            callbacks,
            cache: Cache::new(interrupted),
            search: options.files(),
            source: options.source(),
            process: told.clone(),
            told,
            files: Vec::new(),
        }
    }

    /// The file of a module, once it is known to be the same.
    fn file(&self, index: usize) -> Option<&ModuleFile> {
        let (module, file) = self.process.modules.get(index).zip(self.files.get(index))?;
        Some(file.get_or_init(|| self.search.find(module)))
    }

    fn list<T>(
        &self,
        what: &str,
        list: impl Fn(&Callbacks) -> Result<Vec<T>, Refusal>,
    ) -> Result<Vec<T>, RefreshError> {
        list(&self.callbacks).map_err(|refusal| {
            self.cache.note(refusal);
            RefreshError(format!("the debugger does not list {what}"))
        })
    }
}

impl Inferior for Debugged {
    fn source(&self) -> Source {
        self.source.clone()
    }

    fn process(&self) -> &ProcessInfo {
        &self.process
    }

    fn memory(&self) -> Box<dyn Memory + '_> {
        Box::new(Completed { served: self.cache.through(&self.callbacks), debugged: self })
    }

    fn module_file(&self, index: usize) -> Option<&[u8]> {
        self.file(index)?.bytes()
    }

    fn refresh(&mut self) -> Result<(), RefreshError> {
        self.cache.reset(Vec::new());
        let ranges = self.callbacks.ranges();
        if let Err(refusal) = ranges {
            self.cache.note(refusal);
        }
        let listed = ranges.unwrap_or_default();
        self.cache.reset(
            listed
                .into_iter()
                .map(|listed| Range {
                    start: Address(listed.start),
                    size: listed.size,
                    writable: listed.writable,
                    executable: listed.executable,
                })
                .collect(),
        );
        let threads = self.list("threads", Callbacks::threads)?;
        let modules = self.list("modules", Callbacks::modules)?;
        let memory = self.cache.through(&self.callbacks);
        let modules = modules.into_iter().map(|listed| {
            let mut module =
                Module::in_memory(&memory, listed.path, Address(listed.base), Address(listed.end));
            module.build_id = listed.build_id.or(module.build_id);
            module
        });
        let modules = Vec::from_iter(modules);
        if self.cache.is_without_ranges() {
            let ranges = modules.iter().flat_map(|module| module.ranges(&memory)).collect();
            self.cache.reset(ranges);
        }
        self.files = modules.iter().map(|_| OnceCell::new()).collect();
        self.process = ProcessInfo {
            executable: self.told.executable.clone().or_else(|| Some(modules.first()?.path.clone())),
            threads: threads.into_iter().map(native).collect(),
            modules,
            ..self.told.clone()
        };
        Ok(())
    }
}

/// What a debugger serves, and where it has nothing, as of pages that a core left out, the files of modules.
struct Completed<'d> {
    served: CachedMemory<'d>,
    debugged: &'d Debugged,
}

impl Completed<'_> {
    /// Fills `buffer` from the file that is mapped at `at`.
    fn fill(&self, at: Address, buffer: &mut [u8]) -> Option<()> {
        let modules = &self.debugged.process.modules;
        let index = modules.iter().position(|module| module.base <= at && at < module.end)?;
        let ModuleFile::Found(file) = self.debugged.file(index)? else { return None };
        let distance = at.0.checked_sub(modules.get(index)?.base.0)?;
        buffer.copy_from_slice(file.unchanging_at(distance, buffer.len() as u64)?);
        Some(())
    }
}

impl Memory for Completed<'_> {
    fn read(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        let mut at = at;
        let mut rest = buffer;
        while !rest.is_empty() {
            let here = rest.len().min((PAGE_SIZE - at.0 % PAGE_SIZE) as usize);
            let (now, later) = rest.split_at_mut(here);
            if let Err(fault) = self.served.read(at, now)
                && (fault.cause == FaultCause::Interrupted || self.fill(at, now).is_none())
            {
                return Err(fault);
            }
            at = Address(at.0.wrapping_add(here as u64));
            rest = later;
        }
        Ok(())
    }

    fn pass_over(&self, at: Address, buffer: &mut [u8]) -> Result<(), Fault> {
        self.served.pass_over(at, buffer).or_else(|_| self.read(at, buffer))
    }

    fn ranges(&self) -> Vec<Range> {
        self.served.ranges()
    }
}

fn native(listed: ListedThread) -> NativeThread {
    let known = |address: u64| (address != 0).then_some(Address(address));
    NativeThread {
        tid: listed.tid,
        name: listed.name,
        thread_pointer: known(listed.thread_pointer),
        instruction_pointer: known(listed.instruction_pointer),
        stack_pointer: known(listed.stack_pointer),
        futex: known(listed.futex),
        ..NativeThread::default()
    }
}
