//! The built-in tables for Windows, which another compiler made of CPython's headers, against genuine builds of
//! Microsoft's, where scripts/get-windows-pythons has put them: what is static data in their files says where fields
//! lie. `_Py_DebugOffsets` has those of the interpreter from 3.13 on, types have the sizes of their instances and the
//! places of their members. A build that is not here is reported as ignored.

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use object::{ExportTarget, NameOrOrdinal, Object, ObjectSection};
use pycore::addr::Address;
use pycore::layout::{DebugOffsets, Field, Layout, LayoutRegistry, Place, STRUCTS};
use pycore::memory::{Backing, FaultCause, Memory, Range, Region, Regions};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Exported types, with the struct of their instances and that of their members.
const EXPORTED: &[(&str, &str, &str)] = &[
    ("PyAsyncGen_Type", "", "PyGenObject"),
    ("PyByteArray_Type", "PyByteArrayObject", ""),
    ("PyBytes_Type", "PyBytesObject", ""),
    ("PyCFunction_Type", "PyCFunctionObject", "PyCFunctionObject"),
    ("PyCell_Type", "PyCellObject", ""),
    ("PyClassMethod_Type", "ClassMethod", "ClassMethod"),
    ("PyCode_Type", "PyCodeObject", "PyCodeObject"),
    ("PyComplex_Type", "PyComplexObject", "PyComplexObject"),
    ("PyContextToken_Type", "PyContextToken", ""),
    ("PyContextVar_Type", "PyContextVar", ""),
    ("PyDictProxy_Type", "MappingProxyObject", ""),
    ("PyDict_Type", "PyDictObject", ""),
    ("PyFloat_Type", "PyFloatObject", ""),
    ("PyFrame_Type", "PyFrameObject", "PyFrameObject"),
    ("PyFunction_Type", "PyFunctionObject", "PyFunctionObject"),
    ("PyGen_Type", "PyGenObject", "PyGenObject"),
    ("PyLong_Type", "PyLongObject", ""),
    ("PyMethodDescr_Type", "PyMethodDescrObject", "PyDescrObject"),
    ("PyMethod_Type", "PyMethodObject", "PyMethodObject"),
    ("PyModule_Type", "PyModuleObject", "PyModuleObject"),
    ("PyODict_Type", "PyODictObject", ""),
    ("PyRange_Type", "RangeObject", "RangeObject"),
    ("PySet_Type", "PySetObject", ""),
    ("PySlice_Type", "PySliceObject", "PySliceObject"),
    ("PyStaticMethod_Type", "StaticMethod", "StaticMethod"),
    ("PySuper_Type", "SuperObject", "SuperObject"),
    ("PyTraceBack_Type", "PyTracebackObject", "PyTracebackObject"),
    ("PyTuple_Type", "PyTupleObject", ""),
    ("PyType_Type", "PyHeapTypeObject", "PyTypeObject"),
    ("PyUnicode_Type", "PyUnicodeObject", ""),
    ("_PyAsyncGenASend_Type", "PyAsyncGenASend", ""),
    ("_PyNamespace_Type", "PyNamespaceObject", "PyNamespaceObject"),
    ("_PyWeakref_RefType", "PyWeakReference", ""),
];

/// Exported pointers to the types of exceptions, with the struct of their instances, which is that of their members.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("PyExc_BaseException", "PyBaseExceptionObject"),
    ("PyExc_BaseExceptionGroup", "PyBaseExceptionGroupObject"),
    ("PyExc_ImportError", "PyImportErrorObject"),
    ("PyExc_OSError", "PyOSErrorObject"),
    ("PyExc_SyntaxError", "PySyntaxErrorObject"),
    ("PyExc_UnicodeDecodeError", "PyUnicodeErrorObject"),
];

/// Types by their names, which `PyTypeObject` and `PyType_Spec` begin with, in the data of any file of the build.
const NAMED: &[(&str, &str)] = &[
    ("_asyncio.Future", "FutureObj"),
    ("_asyncio.FutureIter", "FutureIter"),
    ("_asyncio.Task", "TaskObj"),
    ("_io.BufferedReader", "Buffered"),
    ("_io.FileIO", "FileIO"),
    ("_io.TextIOWrapper", "TextIO"),
    ("_queue.SimpleQueue", "SimpleQueueObject"),
    ("_socket.socket", "PySocketSockObject"),
    ("_sre.SRE_Match", "MatchObject"),
    ("_sre.SRE_Pattern", "PatternObject"),
    ("_thread.RLock", "RLockObject"),
    ("_thread._ThreadHandle", "PyThreadHandleObject"),
    ("_thread.lock", "LockObject"),
    ("array.array", "ArrayObject"),
    ("collections.OrderedDict", "PyODictObject"),
    ("collections.defaultdict", "DefDictObject"),
    ("collections.deque", "DequeObject"),
    ("datetime.date", "PyDateTimeDate"),
    ("datetime.datetime", "PyDateTimeDateTime"),
    ("datetime.time", "PyDateTimeTime"),
    ("datetime.timedelta", "PyDateTimeDelta"),
    ("datetime.timezone", "PyDateTimeTimeZone"),
    ("decimal.Decimal", "PyDecObject"),
    ("functools.partial", "PartialObject"),
    ("itertools.count", "CountObject"),
    ("itertools.repeat", "RepeatObject"),
    ("operator.attrgetter", "AttrGetterObject"),
    ("operator.itemgetter", "ItemGetterObject"),
    ("re.Match", "MatchObject"),
    ("re.Pattern", "PatternObject"),
    ("string.templatelib.Interpolation", "InterpolationObject"),
    ("string.templatelib.Template", "TemplateObject"),
    ("types.GenericAlias", "GenericAlias"),
    ("types.UnionType", "UnionObject"),
    ("zoneinfo.ZoneInfo", "PyZoneInfo"),
];

/// Exported functions that only return a field: of `_PyRuntime`, or of what their argument points to.
const GETTERS: &[(&str, &str, &str)] = &[
    ("PyInterpreterState_Head", "PyRuntimeState", "interpreters_head"),
    ("PyInterpreterState_Main", "PyRuntimeState", "interpreters_main"),
    ("PyInterpreterState_Next", "PyInterpreterState", "next"),
    ("PyInterpreterState_ThreadHead", "PyInterpreterState", "tstate_head"),
    ("PyThreadState_GetID", "PyThreadState", "id"),
    ("PyThreadState_GetInterpreter", "PyThreadState", "interp"),
    ("PyThreadState_Next", "PyThreadState", "next"),
    ("_PyThreadState_UncheckedGet", "PyRuntimeState", "tstate_current"),
];

/// Members that are called otherwise than the field.
const CALLED: &[(&str, &[&str])] = &[
    ("__args__", &["args"]),
    ("__base__", &["tp_base"]),
    ("__basicsize__", &["tp_basicsize"]),
    ("__closure__", &["func_closure"]),
    ("__dict__", &["ns_dict"]),
    ("__dictoffset__", &["tp_dictoffset"]),
    ("__flags__", &["tp_flags"]),
    ("__func__", &["im_func", "cm_callable", "sm_callable"]),
    ("__globals__", &["func_globals"]),
    ("__itemsize__", &["tp_itemsize"]),
    ("__module__", &["func_module", "m_module"]),
    ("__mro__", &["tp_mro"]),
    ("__name__", &["d_name"]),
    ("__objclass__", &["d_type"]),
    ("__origin__", &["origin"]),
    ("__self__", &["im_self"]),
    ("__self_class__", &["obj_type"]),
    ("__suppress_context__", &["suppress_context"]),
    ("__thisclass__", &["class"]),
    ("__wrapped__", &["cm_callable", "sm_callable"]),
    ("errno", &["myerrno"]),
    ("exceptions", &["excs"]),
    ("func", &["function"]),
    ("keywords", &["kw"]),
    ("message", &["msg"]),
    ("re", &["pattern"]),
];

/// What other patch releases than that of the table have elsewhere, which `_Py_DebugOffsets` tells of: 3.13.0 against
/// 3.13.11, 3.14.10 against 3.14.2 (with another collector).
const PATCHED: &[(&str, &[&str])] = &[
    ("cpython-3.13-llp64", &["sizeof PyInterpreterState", "sizeof PyRuntimeState"]),
    (
        "cpython-3.14-llp64",
        &[
            "PyInterpreterState.builtins",
            "PyInterpreterState.sysdict",
            "sizeof PyInterpreterState",
            "sizeof PyRuntimeState",
            "sizeof PyThreadState",
            "tp_basicsize of PyExc_BaseExceptionGroup",
        ],
    ),
    (
        "cpython-3.14t-llp64",
        &[
            "PyInterpreterState.gc_generations",
            "sizeof PyInterpreterState",
            "sizeof PyRuntimeState",
            "sizeof PyThreadState",
            "tp_basicsize of PyExc_BaseExceptionGroup",
        ],
    ),
];

/// `Py_tp_members`, Include/typeslots.h.
const TP_MEMBERS: u32 = 72;

/// No struct of Python's objects is as large.
const BASIC_SIZES: std::ops::RangeInclusive<u64> = 16..=4095;

fn main() {
    let trials = LayoutRegistry::new()
        .entries()
        .iter()
        .filter_map(|entry| entry.name.strip_suffix("-llp64").map(|start| (start, &entry.name)))
        .map(|(start, name)| {
            let library = format!("{}.dll", start.replace(['-', '.'], "").replace("cpython", "python"));
            let name = name.clone();
            Trial::ignorable_test(name.clone(), move || agrees(&name, &library))
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A PE file as it lies in memory at its preferred address, where its relocations change nothing.
struct Image {
    name: String,
    exports: HashMap<Vec<u8>, Address>,
    base: u64,
    bytes: Vec<u8>,
}

impl Image {
    fn read(path: &Path) -> Result<Self, Failed> {
        let contents = std::fs::read(path)?;
        let file = object::File::parse(&*contents)?;
        let base = file.relative_address_base();
        let end = file.sections().map(|section| section.address() + section.size()).max();
        let mut bytes = vec![0; end.unwrap_or(base).saturating_sub(base) as usize];
        for section in file.sections() {
            let (start, data) = ((section.address() - base) as usize, section.data()?);
            let place = bytes.get_mut(start..).and_then(|place| place.get_mut(..data.len()));
            place.ok_or("a section outside of the image")?.copy_from_slice(data);
        }
        let mut exports = HashMap::new();
        for export in file.exports()?.flatten() {
            if let (NameOrOrdinal::Name(name), ExportTarget::Address { address }) =
                (export.name(), export.target())
            {
                exports.insert(name.to_vec(), Address(address));
            }
        }
        let name = path.file_name().unwrap_or_default().display().to_string();
        Ok(Image { name, exports, base, bytes })
    }

    fn memory(&self) -> Regions<'_> {
        let size = self.bytes.len() as u64;
        let range = Range { start: Address(self.base), size, writable: false, executable: false };
        Regions::new(vec![Region { range, backing: Backing::Bytes(&self.bytes, FaultCause::NotDumped) }])
    }

    fn export(&self, name: &str) -> Option<Address> {
        self.exports.get(name.as_bytes()).copied()
    }

    /// The words that point to the name of a type, with the struct of its instances.
    fn pointers_to_names(&self) -> Vec<(Address, &'static str, &'static str)> {
        let mut strings = HashMap::new();
        let mut start = 0;
        for text in self.bytes.split(|byte| *byte == 0) {
            if let Some(named) = NAMED.iter().find(|(name, _)| name.as_bytes() == text) {
                strings.insert(self.base + start, *named);
            }
            start += text.len() as u64 + 1;
        }
        let words = self.bytes.as_chunks().0.iter().enumerate();
        words
            .filter_map(|(index, word)| {
                let (name, instance) = strings.get(&u64::from_le_bytes(*word))?;
                Some((Address(self.base + 8 * index as u64), *name, *instance))
            })
            .collect()
    }
}

/// What was compared, and what differs.
#[derive(Default)]
struct Outcome {
    compared: usize,
    differences: Vec<String>,
}

impl Outcome {
    fn compare(&mut self, what: &str, table: u64, build: u64) {
        self.compared += 1;
        if table != build {
            self.differences.push(format!("{what}: {table} in the table, {build} in the build"));
        }
    }
}

fn agrees(name: &str, library: &str) -> Result<Completion, Failed> {
    let registry = LayoutRegistry::new();
    let mut layout = registry.get(name).ok_or("no such table")?.layout()?.clone();
    let builds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/.work/pythons/windows");
    let Some(build) = children(&builds).into_iter().find(|build| build.join(library).is_file()) else {
        return Ok(Completion::ignored_with("no such build for Windows is here"));
    };
    let python = Image::read(&build.join(library))?;
    let mut outcome = Outcome::default();

    let regions = python.memory();
    let memory: &dyn Memory = &regions;
    if layout.python >= (3, 13) {
        let offsets = DebugOffsets::read(memory, python.export("_PyRuntime").ok_or("no _PyRuntime")?)?;
        outcome.differences.extend(offsets.apply(&mut layout)?);
        outcome.compared += 1;
    }
    for (symbol, instance, members) in EXPORTED {
        if let Some(class) = python.export(symbol) {
            compare_type(&layout, memory, class, (symbol, instance, members), &mut outcome)?;
        }
    }
    for (symbol, instance) in EXCEPTIONS {
        // A pointer to a type that is made at run time is null.
        let class = python.export(symbol).map(|pointer| memory.pointer(pointer)).transpose()?;
        if let Some(class) = class.filter(|class| !class.is_null()) {
            compare_type(&layout, memory, class, (symbol, instance, instance), &mut outcome)?;
        }
    }
    compare_getters(&layout, &python, &mut outcome)?;
    compare_named(&layout, &python, &mut outcome)?;
    // Some have the extension modules of both kinds of builds.
    let kind = if layout.free_threaded { "t-win_amd64.pyd" } else { "pyd" };
    for path in children(&build.join("DLLs")) {
        let file = path.file_name().unwrap_or_default().display().to_string();
        if file.ends_with(kind) && (layout.free_threaded || !file.contains("t-win")) {
            compare_named(&layout, &Image::read(&path)?, &mut outcome)?;
        }
    }
    if layout.python >= (3, 12) {
        compare_texts(&layout, &python, &mut outcome)?;
    }
    let patched = PATCHED.iter().filter(|(table, _)| *table == name).flat_map(|(_, starts)| *starts);
    for start in patched {
        outcome.differences.retain(|difference| {
            !difference.starts_with(&format!("{start} ")) && !difference.starts_with(&format!("{start}:"))
        });
    }
    if outcome.differences.is_empty() && outcome.compared >= 100 {
        return Ok(Completion::Completed);
    }
    let (compared, build) = (outcome.compared, build.display());
    Err(format!("{build}: {compared} compared\n{}", outcome.differences.join("\n")).into())
}

/// Compares a static type: the size of its instances, and its members.
fn compare_type(
    layout: &Layout,
    memory: &dyn Memory,
    class: Address,
    (name, instance, members): (&str, &str, &str),
    outcome: &mut Outcome,
) -> Result<(), Failed> {
    let structs = &layout.structs;
    let field = |field: pycore::layout::Field| class.add(offset(field.place));
    let size = memory.u64(field(structs.PyTypeObject.tp_basicsize))?;
    if let Some(expected) = basic_size(layout, instance).filter(|_| size != 0) {
        outcome.compare(&format!("tp_basicsize of {name}"), expected, size);
    }
    let list = memory.pointer(field(structs.PyTypeObject.tp_members))?;
    compare_members(layout, memory, list, (name, members), outcome)
}

/// Compares types by their names, static ones and specifications.
fn compare_named(layout: &Layout, file: &Image, outcome: &mut Outcome) -> Result<(), Failed> {
    let regions = file.memory();
    let memory: &dyn Memory = &regions;
    for (pointer, name, instance) in file.pointers_to_names() {
        let what = format!("{name} in {}", file.name);
        let (size, next) = (memory.u32(pointer.add(8))?, memory.u32(pointer.add(16))?);
        if !BASIC_SIZES.contains(&size.into()) {
            continue;
        }
        if let Some(expected) = basic_size(layout, instance) {
            let mutex_lock = layout.structs.MutexLockObject.size_of;
            let expected =
                if name == "_thread.lock" && size == mutex_lock { mutex_lock.into() } else { expected };
            outcome.compare(&format!("size of {what}"), expected, size.into());
        }
        // The flags of a specification, or the size of a static type's items.
        let list = if BASIC_SIZES.contains(&next.into()) || next < 16 {
            let class = Address(pointer.0 - offset(layout.structs.PyTypeObject.tp_name.place));
            memory.pointer(class.add(offset(layout.structs.PyTypeObject.tp_members.place)))?
        } else {
            let mut slots = memory.pointer(pointer.add(24))?;
            let mut list = Address(0);
            while memory.u32(slots)? != 0 {
                if memory.u32(slots)? == TP_MEMBERS {
                    list = memory.pointer(slots.add(8))?;
                }
                slots = slots.add(16);
            }
            list
        };
        compare_members(layout, memory, list, (&what, instance), outcome)?;
    }
    Ok(())
}

/// Compares the fields that functions return whose first instruction is a `mov` to rax.
fn compare_getters(layout: &Layout, python: &Image, outcome: &mut Outcome) -> Result<(), Failed> {
    let regions = python.memory();
    let memory: &dyn Memory = &regions;
    let runtime = python.export("_PyRuntime").unwrap_or_default();
    for (function, structure, field) in GETTERS {
        let Some(at) = python.export(function) else { continue };
        let Some(place) = layout.structs.field(structure, field).and_then(|field| field.place) else {
            continue;
        };
        let found = match memory.array::<3>(at)? {
            [0x48, 0x8b, 0x01] => 0,
            [0x48, 0x8b, 0x41] => memory.u8(at.add(3))?.into(),
            [0x48, 0x8b, 0x81] => memory.u32(at.add(3))?.into(),
            // Relative to the next instruction.
            [0x48, 0x8b, 0x05] => {
                let distance = memory.u32(at.add(3))? as i32;
                at.add(7).0.wrapping_add_signed(distance.into()).wrapping_sub(runtime.0)
            }
            _ => continue,
        };
        outcome.compare(&format!("what {function} returns"), place.offset.into(), found);
    }
    Ok(())
}

/// Compares a list of `PyMemberDef`, whose names say which fields they are.
fn compare_members(
    layout: &Layout,
    memory: &dyn Memory,
    list: Address,
    (name, structure): (&str, &str),
    outcome: &mut Outcome,
) -> Result<(), Failed> {
    let Some(spec) = STRUCTS.iter().find(|spec| spec.name == structure) else { return Ok(()) };
    let def = &layout.structs.PyMemberDef;
    let mut at = list;
    while !list.is_null() && !memory.pointer(at.add(offset(def.name.place)))?.is_null() {
        let member = memory.c_string(memory.pointer(at.add(offset(def.name.place)))?, 64)?;
        let member = String::from_utf8(member)?;
        let called = CALLED.iter().filter(|(called, _)| *called == member).flat_map(|(_, fields)| *fields);
        let names: Vec<&str> = called.copied().chain([member.as_str()]).collect();
        let fields = spec.fields.iter().filter(|field| names.contains(&field.name));
        let places = fields.filter_map(|field| layout.structs.field(structure, field.name)?.place);
        let build = memory.u64(at.add(offset(def.offset.place)))?;
        for place in places {
            outcome.compare(&format!("member {member} of {name}"), place.offset.into(), build);
        }
        at = at.add(layout.structs.PyMemberDef.size_of.into());
    }
    Ok(())
}

/// Compares the texts that `_PyRuntime` has from the start: they are compact ASCII, of as many characters as they say.
fn compare_texts(layout: &Layout, python: &Image, outcome: &mut Outcome) -> Result<(), Failed> {
    let regions = python.memory();
    let memory: &dyn Memory = &regions;
    let runtime = python.export("_PyRuntime").ok_or("no _PyRuntime")?;
    let text_type = python.export("PyUnicode_Type").ok_or("no PyUnicode_Type")?;
    let head = &layout.structs.PyASCIIObject;
    let bits = |at: Address, field: Field| -> Result<u64, Failed> {
        let bits = field.place.and_then(|place| place.bits).ok_or("no bits")?;
        Ok(u64::from(memory.u32(at.add(offset(field.place)))?) >> bits.shift & ((1 << bits.width) - 1))
    };
    let size = u64::from(layout.structs.PyRuntimeState.size_of);
    let mut found = 0;
    for word in (0..size).step_by(8).map(|distance| runtime.add(distance)) {
        if memory.pointer(word).ok() != Some(text_type) {
            continue;
        }
        let at = Address(word.0 - offset(layout.structs.PyObject.ob_type.place));
        let length = memory.u64(at.add(offset(head.length.place)))?;
        let is_ascii = bits(at, head.ascii)? == 1;
        let what = format!("text {found}");
        outcome.compare(&format!("kind of {what}"), 1, bits(at, head.kind)?);
        outcome.compare(&format!("compact of {what}"), 1, bits(at, head.compact)?);
        let start = if is_ascii { head.size_of } else { layout.structs.PyCompactUnicodeObject.size_of };
        let text = memory.c_string(at.add(start.into()), 200)?;
        // One is NUL; others are single characters of Latin-1.
        outcome.compare(&format!("length of {what}"), length, u64::try_from(text.len())?.max(length.min(1)));
        outcome.compare(&format!("ascii of {what}"), is_ascii.into(), text.is_ascii().into());
        found += 1;
    }
    if found < 500 { Err(format!("only {found} texts").into()) } else { Ok(()) }
}

/// `tp_basicsize` of the type with these instances, by the table; `None` where it does not tell.
fn basic_size(layout: &Layout, instance: &str) -> Option<u64> {
    let structs = &layout.structs;
    let size = u64::from(structs.size(instance)?);
    let frame_head = offset(structs.PyInterpreterFrame.localsplus.place);
    Some(match instance {
        "PyBytesObject" => offset(structs.PyBytesObject.ob_sval.place) + 1,
        "PyCodeObject" if structs.PyCodeObject.co_code_adaptive.exists() => {
            offset(structs.PyCodeObject.co_code_adaptive.place)
        }
        // The first pointer of its data is part of the struct.
        "PyFrameObject" if structs.PyFrameObject.f_frame.exists() => size - 8 + frame_head,
        "PyGenObject" if structs.PyGenObject.gi_iframe.exists() => {
            offset(structs.PyGenObject.gi_iframe.place) + frame_head
        }
        "PyLongObject" => offset(structs.PyLongObject.ob_digit.place),
        "PyTupleObject" => offset(structs.PyTupleObject.ob_item.place),
        _ if size == 0 => return None,
        _ => size,
    })
}

fn offset(place: Option<Place>) -> u64 {
    place.map_or(0, |place| place.offset.into())
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut children: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    children.sort();
    children
}
