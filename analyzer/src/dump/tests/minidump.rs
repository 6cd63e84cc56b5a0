//! Minidumps built by the `minidump-synth` crate: whole, cut, damaged, of other machines and systems. Wine writes no
//! thread names, thread infos, protections, handles and comments, so that here alone they are seen.

use super::*;
use crate::process::pe::synthetic as pe;
use crate::process::{OperatingSystem, PdbId};
use ::minidump as oracle;
use minidump_synth::{
    DumpString, Exception, HandleDescriptor, Memory as Bytes, MemoryInfo, MiscFieldsProcessTimes, MiscStream,
    Module, SimpleStream, SynthMinidump, SystemInfo, Thread, ThreadName, UnloadedModule, amd64_context,
    arm64_context,
};
use oracle::Module as _;
use oracle::format::MINIDUMP_STREAM_TYPE::{self, *};
use std::collections::BTreeMap;
use test_assembler::{Endian, Section};

const LE: Endian = Endian::Little;
const AMD64: u16 = 9;
const ARM64: u16 = 12;
const WINDOWS: u32 = 2;
const LINUX: u32 = 0x8201;
const MAC: u32 = 0x8101;
const HEAP_AT: u64 = 0x1_0000_0000;
const STACK_AT: u64 = 0x2_0000_0000;
const TEB: u64 = 0x7ff0_0000;
const FULL_MEMORY: u64 = 2;

fn section() -> Section {
    Section::with_endian(LE)
}

fn bytes(at: u64, bytes: &[u8]) -> Bytes {
    Bytes::with_section(section().append_bytes(bytes), at)
}

fn stream(kind: MINIDUMP_STREAM_TYPE, section: Section) -> SimpleStream {
    SimpleStream { stream_type: kind as u32, section }
}

fn system(machine: u16, os: u32) -> SystemInfo {
    let mut info = SystemInfo::new(LE).set_processor_architecture(machine).set_platform_id(os);
    (info.major_version, info.build_number, info.number_of_processors) = (10, 19045, 8);
    info
}

fn thread(id: u32, teb: u64, context: &Section) -> Section {
    let head = section().D32(id).D32(0).D32(0).D32(0).D64(teb);
    head.D64(STACK_AT).D32(0).D32(0).D32(context.final_size()).D32(context.start())
}

/// Two threads with registers.
fn with_threads(dump: SynthMinidump, contexts: [Section; 2]) -> SynthMinidump {
    let [one, other] = contexts;
    let list = section().D32(2).append_section(thread(7, TEB, &one)).append_section(thread(8, 0, &other));
    dump.add(Placed(one)).add(Placed(other)).add_stream(stream(ThreadListStream, list))
}

/// A section whose labels are its own.
struct Placed(Section);

impl From<Placed> for Section {
    fn from(placed: Placed) -> Section {
        placed.0
    }
}

impl minidump_synth::DumpSection for Placed {
    fn file_offset(&self) -> test_assembler::Label {
        self.0.start()
    }

    fn file_size(&self) -> test_assembler::Label {
        self.0.final_size()
    }
}

fn whole() -> Vec<u8> {
    build(SynthMinidump::with_endian(LE).flags(FULL_MEMORY))
}

fn build(dump: SynthMinidump) -> Vec<u8> {
    let names =
        ["C:\\Python\\python.exe", "C:\\Python\\python313.dll", "C:\\old.dll", "worker \u{e9}", "Event"];
    let [exe, dll, old, worker, event] = names.map(|name| DumpString::new(name, LE));
    let record =
        section().append_bytes(b"RSDS").append_bytes(&pe::PDB).D32(3).append_bytes(b"D:\\a\\python313.pdb\0");
    let record = Placed(record);
    let version = oracle::format::VS_FIXEDFILEINFO {
        signature: 0xfeef_04bd,
        file_version_hi: 3 << 16 | 13,
        file_version_lo: 2150 << 16 | 1013,
        ..Default::default()
    };
    let mut exception = Exception::new(LE);
    exception.thread_id = 7;
    exception.exception_record.exception_code = 0xc000_0005;
    exception.exception_record.exception_address = pe::BASE + 0x1010;
    exception.exception_record.number_parameters = 2;
    exception.exception_record.exception_information[..2].copy_from_slice(&[1, 0x20]);
    let mut misc = MiscStream::new(LE);
    misc.process_id = Some(4711);
    misc.process_times = Some(MiscFieldsProcessTimes {
        process_create_time: 1_262_805_300,
        process_user_time: 5,
        process_kernel_time: 2,
    });
    let info = section().D32(12).D32(64).D32(1);
    let info = info.D32(8).D32(0).D32(0).D32(259).D64(0x01ca_8f8e_0000_0000).D64(0).D64(40_000).D64(120_000);
    let info = info.D64(pe::BASE + 0x2000).D64(3);
    let assertion = |text: &str| {
        let mut units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        units.resize(256, 0);
        units
    };
    let asserted = section().append_bytes(&["x > 0", "f", "a.c"].map(assertion).concat()).D32(12).D32(0);
    let image = pe::Dll::default().loaded();
    let dump = dump
        .add_module(Module::new(LE, 0x14_0000_0000, 0x1000, &exe, 1, 2, None))
        .add_module(Module::new(LE, pe::BASE, pe::SIZE as u32, &dll, 77, 88, &version).cv_record(&record))
        .add_unloaded_module(UnloadedModule::new(LE, 0x5000, 0x1000, &old, 9, 0))
        .add_thread_name(ThreadName::new(LE, 8, Some(&worker)))
        .add_thread_name(ThreadName::new(LE, 7, None))
        .add_handle_descriptor(HandleDescriptor::new(LE, 4, Some(&event), None, 0, 0, 1, 1))
        .add_memory64(bytes(HEAP_AT, &[6; 0x2000]))
        .add_memory64(bytes(STACK_AT, &[7; 0x1000]))
        .add_memory64(bytes(pe::BASE, &image))
        .add_system_info(system(AMD64, WINDOWS))
        .add_exception(exception)
        .add_stream(misc)
        .add_stream(stream(ThreadInfoListStream, info))
        .add_stream(stream(CommentStreamA, section().append_bytes(b"made by hand\0junk")))
        .add_stream(stream(AssertionInfoStream, asserted))
        .add_stream(stream(UnusedStream, section()))
        .add_stream(SimpleStream { stream_type: 0xfff0, section: section().D32(0xdead_beef) })
        .add(record);
    let dump = [exe, dll, old, worker, event].into_iter().fold(dump, SynthMinidump::add);
    with_threads(dump, [amd64_context(LE, 0x111, STACK_AT + 0x20), amd64_context(LE, 0x222, STACK_AT + 0x80)])
        .finish()
        .unwrap()
}

fn open_minidump(bytes: &[u8]) -> Dump {
    open(bytes, FileSearch::default()).unwrap()
}

#[test]
fn a_minidump_tells_all() {
    let dump = open_minidump(&whole());
    let process = dump.process();
    assert_eq!(process.warnings, Vec::<String>::new());
    assert_eq!(
        (process.os, process.pid, process.crashed_tid),
        (OperatingSystem::Windows, Some(4711), Some(7))
    );
    assert_eq!(process.executable.as_deref(), Some("C:\\Python\\python.exe"));
    let exception = process.exception.as_ref().unwrap();
    assert_eq!((exception.code.as_str(), exception.parameters.len()), ("0xc0000005", 2));
    assert_eq!(exception.name.as_deref(), Some("EXCEPTION_ACCESS_VIOLATION"));
    assert_eq!(exception.description, "access violation writing 0x20");
    assert_eq!(exception.location.as_ref().unwrap().offset, Some(Address(0x1010)));
    let module = &process.modules[1];
    assert_eq!((module.file_name(), module.end), ("python313.dll", Address(pe::BASE + pe::SIZE)));
    let identity = module.pe.as_ref().unwrap();
    assert_eq!((identity.timestamp, identity.checksum), (77, 88));
    assert_eq!(identity.version_text().as_deref(), Some("3.13.2150.1013"));
    assert_eq!(identity.pdb, Some(PdbId { guid: pe::PDB, age: 3, path: "D:\\a\\python313.pdb".into() }));
    assert_eq!(identity.pdb.as_ref().unwrap().text(), "33323130353437363839616263646566".to_owned() + "3");
    let [one, other] = &process.threads[..] else { panic!("{:?}", process.threads) };
    assert_eq!((one.tid, one.thread_pointer, one.name.as_deref()), (7, Some(Address(TEB)), None));
    assert_eq!((other.tid, other.thread_pointer, other.name.as_deref()), (8, None, Some("worker \u{e9}")));
    assert_eq!(other.instruction_pointer, Some(Address(0x222)));
    assert_eq!(other.stack_pointer, Some(Address(STACK_AT + 0x80)));
    assert_eq!(other.start_address, Some(Address(pe::BASE + 0x2000)));
    let times = other.times.as_ref().unwrap();
    assert_eq!((times.kernel_ms, times.user_ms), (4, 12));
    assert_eq!(times.started.as_deref(), Some("2010-01-07T11:38:58Z"));
    let times = process.times.as_ref().unwrap();
    assert_eq!((times.uptime_seconds, times.user_seconds, times.kernel_seconds), (Some(9), Some(5), Some(2)));
    let system = process.system.as_ref().unwrap();
    assert_eq!((system.os.as_str(), system.version.as_deref()), ("windows", Some("10.0.19045")));
    assert_eq!((process.handles, process.unloaded_modules.len(), system.processors), (Some(1), 1, 8));
    assert_eq!(process.unloaded_modules[0].path, "C:\\old.dll");
    assert_eq!(process.comments, ["made by hand"]);
    let assertion = process.assertion.as_ref().unwrap();
    assert_eq!((assertion.expression.as_deref(), assertion.line), (Some("x > 0"), Some(12)));
    assert_eq!(read(&dump, HEAP_AT + 0x1ffe, 2), Ok(vec![6; 2]));
    assert_eq!(read(&dump, pe::BASE, 2), Ok(b"MZ".to_vec()));
    let source = dump.source();
    assert_eq!((source.truncated, source.time.as_deref()), (false, Some("2010-01-06T19:15:09Z")));
    let contents = source.contents.unwrap();
    assert_eq!((contents.memory.as_str(), contents.advice), ("full memory", None));
}

/// What another reader of minidumps makes of the same bytes.
#[test]
fn the_minidump_crate_sees_the_same() {
    let data = whole();
    let dump = open_minidump(&data);
    let process = dump.process();
    let theirs = oracle::Minidump::read(&data[..]).unwrap();
    let info = theirs.get_stream::<oracle::MinidumpSystemInfo>().unwrap();
    let threads = theirs.get_stream::<oracle::MinidumpThreadList<'_>>().unwrap();
    let modules = theirs.get_stream::<oracle::MinidumpModuleList>().unwrap();
    let ours: Vec<_> =
        process.threads.iter().map(|thread| (thread.tid, thread.instruction_pointer)).collect();
    let context =
        |thread: &oracle::MinidumpThread<'_>| thread.context(&info, None).unwrap().get_instruction_pointer();
    let seen = threads.threads.iter().map(|thread| (thread.raw.thread_id, Some(Address(context(thread)))));
    assert_eq!(ours, seen.collect::<Vec<_>>());
    let ours: BTreeMap<_, _> =
        process.modules.iter().map(|module| (module.base.0, (module.end.0, module.path.clone()))).collect();
    let seen = modules.iter().map(|module| {
        let end = module.base_address() + module.size();
        (module.base_address(), (end, module.code_file().into_owned()))
    });
    assert_eq!(ours, seen.collect());
    let pdb = process.modules[1].pe.as_ref().unwrap().pdb.as_ref().unwrap();
    let id = modules.module_at_address(pe::BASE).unwrap().debug_identifier().unwrap();
    assert_eq!(pdb.text(), id.breakpad().to_string());
    let exception = theirs.get_stream::<oracle::MinidumpException<'_>>().unwrap();
    assert_eq!(process.crashed_tid, Some(exception.get_crashing_thread_id()));
    assert_eq!(exception.get_crash_address(info.os, info.cpu), 0x20);
    let memory = theirs.get_memory().unwrap();
    for range in memory.iter() {
        assert_eq!(read(&dump, range.base_address(), range.bytes().len()).unwrap(), range.bytes());
    }
}

fn use_minidump(bytes: &[u8]) -> Result<(), OpenError> {
    let dump = open(bytes, FileSearch::default())?;
    let memory = dump.memory();
    for range in memory.ranges().iter().take(100) {
        let _ = memory.read(range.start, &mut [0; 16]);
        let _ = memory.read(range.end().sub(1), &mut [0]);
    }
    let (pages, _) = dump.always_kept();
    let mut smaller = Vec::new();
    if dump.write_smaller(&mut smaller, &memory, &pages, Some(&|bytes| bytes.reverse())).is_ok() {
        smaller.clear();
        dump.write_smaller(&mut smaller, &memory, &pages, None).unwrap();
        let _ = open(&smaller, FileSearch::default()).unwrap();
    }
    let _ = (dump.source(), dump.file_warnings());
    Ok(())
}

#[test]
fn a_minidump_cut_anywhere_gives_what_it_has() {
    let whole = whole();
    let mut opened = 0;
    for size in (0..whole.len()).step_by(193).chain(whole.len() - 200..whole.len()) {
        match use_minidump(&whole[..size]) {
            Ok(()) => opened += 1,
            Err(error) => assert!(matches!(
                error.problem,
                OpenProblem::Empty | OpenProblem::HeaderCutOff | OpenProblem::NotElf
            )),
        }
    }
    assert!(opened > 200);
}

/// The order of dbghelp: streams first, memory last. What is cut off is named as such.
#[test]
fn memory_that_is_cut_off_faults_as_truncated() {
    let whole = rewritten(&whole());
    let dump = open_minidump(&whole[..whole.len() - 0x5800]);
    assert!(dump.source().truncated);
    let warnings = &dump.process().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("bytes of memory")), "{warnings:?}");
    assert_eq!(dump.process().threads.len(), 2);
    assert_eq!(read(&dump, HEAP_AT, 1), Ok(vec![6]));
    let fault = read(&dump, STACK_AT + 0x7fe, 4).unwrap_err();
    assert_eq!(fault, Fault { at: Address(STACK_AT + 0x800), cause: FaultCause::Truncated });
}

/// A dump with all pages of the dump `bytes`, as [`Dump::write_smaller`] lays it out.
fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let dump = open_minidump(bytes);
    let memory = dump.memory();
    let ranges = memory.ranges();
    let pages = ranges.iter().flat_map(|range| (range.start.0..range.end().0).step_by(0x800)).map(Address);
    let mut out = Vec::new();
    dump.write_smaller(&mut out, &memory, &pages.collect::<Vec<_>>(), None).unwrap();
    out
}

#[test]
fn damage_anywhere_in_a_minidump_is_survived() {
    let whole = whole();
    let mut state = 7u64;
    let mut random = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let memory_of_heap = whole.windows(64).position(|bytes| bytes == [6; 64]).unwrap();
    let structs: Vec<usize> = (0..memory_of_heap).chain(whole.len() - 600..whole.len()).collect();
    for _ in 0..600 {
        let mut damaged = whole.clone();
        for _ in 0..=random(4) {
            let at = structs[random(structs.len())];
            damaged[at] = [0, 0xff, 0x7f, random(256) as u8][random(4)];
        }
        let _ = use_minidump(&damaged);
    }
}

#[test]
fn absurd_streams_cost_nothing_and_the_rest_is_read() {
    let huge = |kind| stream(kind, section().D32(u32::MAX).D32(u32::MAX).D32(u32::MAX).D64(u64::MAX));
    let mut dump = SynthMinidump::with_endian(LE).add_system_info(system(AMD64, WINDOWS));
    for kind in [
        ModuleListStream,
        MemoryListStream,
        Memory64ListStream,
        MemoryInfoListStream,
        UnloadedModuleListStream,
    ] {
        dump = dump.add_stream(huge(kind));
    }
    for kind in [ThreadNamesStream, ThreadInfoListStream, HandleDataStream, ExceptionStream, MiscInfoStream] {
        dump = dump.add_stream(huge(kind));
    }
    let contexts = [amd64_context(LE, 1, 2), amd64_context(LE, 3, 4)];
    let dump = open_minidump(&with_threads(dump, contexts).finish().unwrap());
    assert_eq!(dump.process().threads.len(), 2);
    assert!(dump.process().modules.is_empty());
    assert!(dump.process().warnings.len() > 4, "{:?}", dump.process().warnings);
}

#[test]
fn a_module_whose_name_is_missing_is_still_a_module() {
    let module = || section().D64(0x5000).D32(0x1000).D32(0).D32(9).D32(0xffff_fff0).append_repeated(0, 84);
    let list = section().D32(2).append_section(module()).append_section(module());
    let dump = SynthMinidump::with_endian(LE).add_system_info(system(AMD64, WINDOWS));
    let dump = open_minidump(&dump.add_stream(stream(ModuleListStream, list)).finish().unwrap());
    let module = &dump.process().modules[0];
    assert_eq!((module.path.as_str(), module.base, module.end), ("", Address(0x5000), Address(0x6000)));
    assert!(dump.process().warnings[0].contains("0x5000"));
}

#[test]
fn overlapping_ranges_are_clipped_and_told() {
    let dump = SynthMinidump::with_endian(LE)
        .add_system_info(system(AMD64, WINDOWS))
        .add_memory(bytes(HEAP_AT + 0x800, &[2; 0x1000]))
        .add_memory(bytes(HEAP_AT, &[1; 0x1000]))
        .add_memory(bytes(HEAP_AT + 0x10, &[3; 0x10]))
        .add_memory(bytes(u64::MAX - 8, &[4; 0x10]));
    let dump = open_minidump(&dump.finish().unwrap());
    let warnings = &dump.process().warnings;
    assert!(warnings.iter().any(|warning| warning.starts_with("2 segments overlap")), "{warnings:?}");
    assert_eq!(read(&dump, HEAP_AT + 0xffe, 4), Ok(vec![1, 1, 2, 2]));
    assert!(read(&dump, u64::MAX - 4, 1).is_ok());
}

#[test]
fn what_may_be_written_to_is_told_by_the_dump_or_by_the_images() {
    let dump = open_minidump(&whole());
    let ranges = dump.memory().ranges();
    let at = |address: u64| *ranges.iter().find(|range| range.contains(Address(address))).unwrap();
    assert!(at(HEAP_AT).writable && !at(pe::BASE).writable);

    let protections = [(HEAP_AT, 0x1000, 0x02), (HEAP_AT + 0x1000, 0x3000, 0x40)];
    let mut described = SynthMinidump::with_endian(LE).flags(FULL_MEMORY);
    for (start, size, protection) in protections {
        described = described
            .add_memory_info(MemoryInfo::new(LE, start, start, 4, size, 0x1000, protection, 0x20000));
    }
    described = described.add_memory_info(MemoryInfo::new(LE, 0x9000, 0, 0, 0x1000, 0x10000, 0, 0));
    let dump = open_minidump(&build(described));
    let ranges = dump.memory().ranges();
    let at = |address: u64| *ranges.iter().find(|range| range.contains(Address(address))).unwrap();
    assert!(!at(HEAP_AT).writable && at(HEAP_AT + 0x1000).writable && at(HEAP_AT + 0x1000).executable);
    assert_eq!(read(&dump, HEAP_AT + 0xfff, 2), Ok(vec![6; 2]));
    let fault = read(&dump, HEAP_AT + 0x1fff, 2).unwrap_err();
    assert_eq!(fault, Fault { at: Address(HEAP_AT + 0x2000), cause: FaultCause::NotDumped });
    assert_eq!(read(&dump, 0x9000, 1).unwrap_err().cause, FaultCause::NotMapped);
}

#[test]
fn dumps_of_stacks_say_how_to_write_better_ones() {
    let flagged = |flags, os| {
        let stack = bytes(STACK_AT, &[1; 256]);
        let context = Placed(amd64_context(LE, 5, STACK_AT + 8));
        let dump = SynthMinidump::with_endian(LE)
            .flags(flags)
            .add_thread(Thread::new(LE, 7, &stack, &context))
            .add_system_info(system(AMD64, os))
            .add(stack)
            .add(context);
        let dump = open_minidump(&dump.finish().unwrap());
        assert_eq!(read(&dump, STACK_AT, 256), Ok(vec![1; 256]), "in no list but the thread's");
        dump.source().contents.unwrap()
    };
    let contents = flagged(0, WINDOWS);
    assert_eq!((contents.memory.as_str(), contents.memory_bytes), ("thread stacks", 256));
    let advice = contents.advice.unwrap();
    for way in ["MiniDumpWithFullMemory", "procdump -ma", "DumpType=2", "Task Manager", "crashpad"] {
        assert!(advice.contains(way), "{advice}");
    }
    let contents = flagged(0x41, WINDOWS);
    assert_eq!(contents.flags, ["MiniDumpWithDataSegs", "MiniDumpWithIndirectlyReferencedMemory"]);
    assert!(contents.advice.is_some());
    assert_eq!(flagged(0x201, WINDOWS).advice, None);
    assert!(flagged(0, LINUX).advice.unwrap().contains("gcore"));
}

#[test]
fn other_machines_and_systems_are_named() {
    let opened = |machine, os| {
        let contexts = [arm64_context(LE, 0x111, 0x222), arm64_context(LE, 1, 2)];
        let dump = SynthMinidump::with_endian(LE).add_system_info(system(machine, os));
        let mut exception = Exception::new(LE);
        exception.thread_id = 7;
        exception.exception_record.exception_code = if os == MAC { 1 } else { 11 };
        exception.exception_record.exception_flags = 1;
        exception.exception_record.exception_address = 0x10;
        let dump = with_threads(dump.add_exception(exception), contexts);
        open(&dump.finish().unwrap(), FileSearch::default())
    };
    let arm = opened(ARM64, WINDOWS).unwrap();
    assert_eq!(arm.process().machine, crate::addr::Machine::Aarch64);
    assert_eq!(arm.process().threads[0].instruction_pointer, Some(Address(0x111)));
    assert_eq!(arm.process().threads[0].stack_pointer, Some(Address(0x222)));
    let linux = opened(ARM64, LINUX).unwrap();
    let signal = linux.process().signal.as_ref().unwrap();
    assert_eq!((signal.name.as_str(), signal.code_name.as_deref()), ("SIGSEGV", Some("SEGV_MAPERR")));
    assert_eq!((signal.address, linux.process().os), (Some(Address(0x10)), OperatingSystem::Linux));
    let mac = opened(ARM64, MAC).unwrap();
    let exception = mac.process().exception.as_ref().unwrap();
    assert_eq!(exception.name.as_deref(), Some("EXC_BAD_ACCESS"));
    for (machine, name) in [(0, "x86 (32-bit)"), (5, "arm"), (77, "processor architecture 77")] {
        let message = opened(machine, WINDOWS).unwrap_err().to_string();
        assert!(message.contains(&format!("a minidump of a process on {name}")), "{message}");
        assert!(message.contains("x86_64 and aarch64"), "{message}");
    }
    let swapped = SynthMinidump::with_endian(Endian::Big).finish().unwrap();
    assert!(open(&swapped, FileSearch::default()).unwrap_err().to_string().contains("big-endian"));
    assert!(matches!(open(b"MDMP", FileSearch::default()).unwrap_err().problem, OpenProblem::HeaderCutOff));
}

#[test]
fn a_smaller_minidump_says_the_same() {
    let data = whole();
    let dump = open_minidump(&data);
    let memory = dump.memory();
    let mut pages = dump.always_kept().0;
    pages.push(Address(HEAP_AT + 0x1000));
    let mut small = Vec::new();
    let written = dump.write_smaller(&mut small, &memory, &pages, None).unwrap();
    assert_eq!(written.unreadable, 0);
    let again = open_minidump(&small);
    assert_eq!(format!("{:?}", again.process()), format!("{:?}", dump.process()));
    assert_eq!(read(&again, HEAP_AT + 0x1000, 0x1000), Ok(vec![6; 0x1000]));
    let fault = read(&again, HEAP_AT, 1).unwrap_err();
    assert_eq!(fault, Fault { at: Address(HEAP_AT), cause: FaultCause::NotDumped });
    assert_eq!(read(&again, STACK_AT, 1), Ok(vec![7]), "stacks in use are kept");
    let summed = |dump: &Dump| {
        let ranges = dump.memory().ranges();
        let bytes = |writable| {
            ranges.iter().filter(|range| range.writable == writable).map(|range| range.size).sum::<u64>()
        };
        (bytes(true), bytes(false))
    };
    assert_eq!(summed(&again), summed(&dump));

    let theirs = oracle::Minidump::read(&small[..]).unwrap();
    let list = theirs.get_stream::<oracle::MinidumpMemory64List<'_>>().unwrap();
    let starts: Vec<_> = list.iter().map(|range| range.base_address).collect();
    assert!(starts.is_sorted());
    let last = list.iter().last().unwrap().bytes.as_ptr_range().end;
    assert_eq!(last, small.as_ptr_range().end, "memory ends the file");
    let threads = theirs.get_stream::<oracle::MinidumpThreadList<'_>>().unwrap();
    assert!(threads.threads.iter().all(|thread| thread.raw.stack.memory.rva == 0));
    assert!(theirs.get_stream::<oracle::MinidumpHandleDataStream>().is_ok());
    assert_eq!(theirs.get_raw_stream(0xfff0).unwrap(), 0xdead_beef_u32.to_le_bytes());

    let mut once_more = Vec::new();
    again.write_smaller(&mut once_more, &again.memory(), &pages, None).unwrap();
    assert_eq!(once_more.len(), small.len());
    let third = open_minidump(&once_more);
    let mut fourth = Vec::new();
    third.write_smaller(&mut fourth, &third.memory(), &pages, None).unwrap();
    assert!(fourth == once_more, "what has been written so once stays as it is");
}

#[test]
fn a_redacted_minidump_is_marked_and_its_registers_hold_no_text() {
    let data = whole();
    let dump = open_minidump(&data);
    let mut small = Vec::new();
    let hide = |bytes: &mut [u8]| {
        if let Some(at) = bytes.windows(4).position(|part| part == b"made") {
            bytes[at..at + 4].fill(b'*');
        }
    };
    dump.write_smaller(&mut small, &dump.memory(), &dump.always_kept().0, Some(&hide)).unwrap();
    let again = open_minidump(&small);
    assert_eq!(again.process().comments, ["**** by hand"]);
    assert!(again.process().warnings.iter().any(|warning| warning.contains("--redact")));
    assert_eq!(again.process().threads[1].instruction_pointer, Some(Address(0x222)));
}

#[test]
fn ranges_that_begin_within_pages_are_kept() {
    let dump = SynthMinidump::with_endian(LE)
        .add_system_info(system(AMD64, WINDOWS))
        .add_memory(bytes(HEAP_AT + 0x18, &[1; 0x20]))
        .add_memory(bytes(HEAP_AT + 0x78, &[2; 0x1000]));
    let data = dump.finish().unwrap();
    let dump = open_minidump(&data);
    let mut small = Vec::new();
    dump.write_smaller(&mut small, &dump.memory(), &[Address(HEAP_AT)], None).unwrap();
    let small = open_minidump(&small);
    assert_eq!(read(&small, HEAP_AT + 0x18, 0x20), Ok(vec![1; 0x20]));
    assert_eq!(read(&small, HEAP_AT + 0x78, 0xf88), Ok(vec![2; 0xf88]));
    assert_eq!(read(&small, HEAP_AT + 0x1000, 1).unwrap_err().cause, FaultCause::NotDumped);
}
