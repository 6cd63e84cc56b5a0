//! Which structs and fields of CPython pycore reads. This list is the one place that names them: the tables in
//! `layouts/*.yaml` give their offsets, extraction from DWARF looks for them, decoders use them.

use std::fmt;

/// A run of bits within an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bits {
    /// Bits to the right of the field, counted from the least significant bit of the storage unit.
    pub shift: u8,
    /// The width, in bits.
    pub width: u8,
}

/// Where a field lies in its struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Distance from the start of the struct, in bytes.
    pub offset: u32,
    /// Size, in bytes; of an array, the size of the array.
    pub size: u32,
    /// For bit-fields, the bits within the `size` bytes at `offset`.
    pub bits: Option<Bits>,
}

/// A field by its name, with its place in the interpreter at hand; no place where that interpreter has no such field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// `PyTypeObject.tp_name`, for messages.
    pub name: &'static str,
    /// Where it lies.
    pub place: Option<Place>,
}

impl Field {
    /// Whether this interpreter has the field.
    pub fn exists(&self) -> bool {
        self.place.is_some()
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A struct pycore reads: the names under which debug information may know it, and its fields.
pub struct StructSpec {
    /// The name in our tables.
    pub name: &'static str,
    /// C names, typedefs or struct tags, in the order to try.
    pub c_names: &'static [&'static str],
    /// The package that defines it; `None` for CPython.
    pub package: Option<&'static str>,
    /// The fields: the name in our tables and the C paths of members to try (`state.kind`).
    pub fields: &'static [FieldSpec],
}

/// A field pycore reads.
pub struct FieldSpec {
    /// The name in our tables.
    pub name: &'static str,
    /// The C paths of members to try, in order.
    pub c_paths: &'static [&'static str],
}

/// Which family of C struct, and which of its fields.
macro_rules! schema {
    ($( $(#[$doc:meta])* $name:ident ($($c_name:literal),+) $(of $package:literal)? { $( $field:ident $(= $($path:literal)|+)? ),* $(,)? } )*) => {
        /// Every struct that pycore reads, in the order of the schema.
        pub const STRUCTS: &[StructSpec] = &[
            $( StructSpec {
                name: stringify!($name),
                c_names: &[$($c_name),+],
                package: schema!(@package $($package)?),
                fields: &[ $( FieldSpec {
                    name: stringify!($field),
                    c_paths: schema!(@paths $field $($($path)|+)?),
                } ),* ],
            } ),*
        ];

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            #[allow(missing_docs)]
            pub struct $name {
                /// `sizeof` the struct, in bytes; 0 where the interpreter has no such struct.
                pub size_of: u32,
                $( pub $field: Field, )*
            }

            impl $name {
                const NOWHERE: Self = $name {
                    size_of: 0,
                    $( $field: Field { name: concat!(stringify!($name), ".", stringify!($field)), place: None }, )*
                };
            }
        )*

        /// The offsets of every struct in one interpreter.
        #[derive(Clone, Copy, Debug)]
        #[allow(non_snake_case, missing_docs)]
        pub struct Structs {
            $( pub $name: $name, )*
        }

        /// None has a place. Copied as it lies: to write field by field what is longer than a thousand of them takes the
        /// compiler minutes.
        static NOWHERE: Structs = Structs { $( $name: $name::NOWHERE, )* };

        impl Default for Structs {
            fn default() -> Self {
                NOWHERE
            }
        }

        impl Structs {
            /// The field by its names in the tables; `None` for names that the schema does not have.
            pub fn field_mut(&mut self, structure: &str, field: &str) -> Option<&mut Field> {
                match structure {
                    $( stringify!($name) => match field {
                        $( stringify!($field) => Some(&mut self.$name.$field), )*
                        _ => None,
                    }, )*
                    _ => None,
                }
            }

            /// The struct's `sizeof` by its name in the tables; `None` for names that the schema does not have.
            pub fn size_mut(&mut self, structure: &str) -> Option<&mut u32> {
                match structure {
                    $( stringify!($name) => Some(&mut self.$name.size_of), )*
                    _ => None,
                }
            }

            /// The field by its names in the tables; `None` for names that the schema does not have.
            pub fn field(&self, structure: &str, field: &str) -> Option<&Field> {
                match structure {
                    $( stringify!($name) => match field {
                        $( stringify!($field) => Some(&self.$name.$field), )*
                        _ => None,
                    }, )*
                    _ => None,
                }
            }

            /// The struct's `sizeof` by its name in the tables, in bytes; `None` for names that the schema does not
            /// have.
            pub fn size(&self, structure: &str) -> Option<u32> {
                match structure {
                    $( stringify!($name) => Some(self.$name.size_of), )*
                    _ => None,
                }
            }
        }
    };
    (@package) => { None };
    (@package $package:literal) => { Some($package) };
    (@paths $field:ident) => { &[stringify!($field)] };
    (@paths $field:ident $($path:literal)|+) => { &[$($path),+] };
}

schema! {
    /// `_PyRuntimeState`, Include/internal/pycore_runtime.h.
    PyRuntimeState("_PyRuntimeState", "pyruntimestate") {
        interpreters_head = "interpreters.head",
        interpreters_main = "interpreters.main",
        main_thread = "main_thread" | "ceval.pending.main_thread",
        tstate_current = "gilstate.tstate_current._value",
        gil_locked = "ceval.gil.locked._value",
        gil_last_holder = "ceval.gil.last_holder._value",
        gc_collecting = "gc.collecting",
        gc_generations = "gc.generations",
        gc_permanent_generation = "gc.permanent_generation",
        finalizing = "_finalizing._value" | "_finalizing" | "finalizing",
    }
    /// `PyInterpreterState`, Include/internal/pycore_interp.h.
    PyInterpreterState("PyInterpreterState", "_is") {
        next, id, sysdict, builtins, runtime,
        tstate_head = "threads.head" | "tstate_head",
        threads_main = "threads.main",
        gc_collecting = "gc.collecting",
        gc_frame = "gc.frame",
        gc_generations = "gc.generations",
        gc_young = "gc.young",
        gc_old = "gc.old",
        gc_permanent_generation = "gc.permanent_generation",
        asyncio_tasks_head,
        gil = "ceval.gil",
        stop_requester = "stoptheworld.requester",
    }
    /// `struct gc_generation`, Include/internal/pycore_gc.h: a list of objects that the collector tracks.
    GcGeneration("gc_generation") { head }
    /// `PyGC_Head`, Include/internal/pycore_gc.h: lies in front of every object that the collector tracks.
    PyGcHead("PyGC_Head", "_gc_head") { gc_next = "_gc_next" | "gc.gc_next" }
    /// `struct _gil_runtime_state`, Include/internal/pycore_gil.h. Only free-threaded builds have `enabled`.
    GilRuntimeState("_gil_runtime_state") {
        locked = "locked._value" | "locked",
        last_holder = "last_holder._value" | "last_holder", cond, mutex, enabled,
    }
    /// `PyThreadState`, Include/cpython/pystate.h.
    PyThreadState("PyThreadState", "_ts") {
        prev, next, interp, frame, cframe, current_frame, thread_id, native_thread_id, id,
        curexc_type, curexc_value, curexc_traceback, current_exception, exc_info, exc_value, exc_traceback, dict, state,
    }
    /// `_PyThreadStateImpl`, which begins with the `PyThreadState`, from 3.13, Include/internal/pycore_tstate.h.
    PyThreadStateImpl("_PyThreadStateImpl") { asyncio_running_loop, asyncio_tasks_head }
    /// `struct llist_node`, Include/internal/pycore_llist.h: a link of a list that leads back to its head.
    LlistNode("llist_node") { next }
    /// `_PyErr_StackItem`, Include/cpython/pystate.h.
    PyErrStackItem("_PyErr_StackItem", "_err_stackitem") { exc_type, exc_value, exc_traceback, previous_item }
    /// `_PyCFrame` of 3.11 and 3.12, Include/cpython/pystate.h.
    PyCFrame("_PyCFrame") { current_frame }
    /// `_PyInterpreterFrame`, from 3.11, Include/internal/pycore_frame.h.
    PyInterpreterFrame("_PyInterpreterFrame") {
        f_code, f_executable, f_func = "f_func" | "f_funcobj", f_globals, f_locals, previous,
        prev_instr, instr_ptr, stacktop, stackpointer, is_entry, owner, tlbc_index, localsplus,
    }
    /// `PyFrameObject`, Include/frameobject.h and Include/internal/pycore_frame.h.
    PyFrameObject("PyFrameObject", "_frame") {
        f_back, f_code, f_globals, f_locals, f_lasti, f_lineno, f_localsplus, f_frame, f_gen, f_valuestack, f_stacktop,
        f_stackdepth, f_state, f_iblock, f_blockstack, f_exc_value, f_exc_traceback,
    }
    /// `PyTryBlock`, up to 3.10, Include/cpython/frameobject.h.
    PyTryBlock("PyTryBlock") { b_type, b_level }
    /// `PyCodeObject`, Include/cpython/code.h.
    PyCodeObject("PyCodeObject") {
        co_argcount, co_kwonlyargcount, co_nlocals, co_flags, co_firstlineno, co_code, co_exceptiontable, co_stacksize, co_varnames, co_cellvars,
        co_freevars, co_cell2arg, co_nlocalsplus, co_localsplusnames, co_localspluskinds, co_filename, co_name,
        co_qualname, co_lnotab, co_linetable, co_code_adaptive, co_tlbc, _co_firsttraceable,
    }
    /// `_PyCodeArray`, of free-threaded builds from 3.14 on, Include/cpython/code.h: copies of the instructions, one for
    /// each thread that runs them.
    PyCodeArray("_PyCodeArray") { size, entries }
    /// `PyCellObject`, Include/cellobject.h.
    PyCellObject("PyCellObject") { ob_ref }
    /// `PyGenObject`, of generators, coroutines and asynchronous generators alike, Include/cpython/genobject.h.
    PyGenObject("PyGenObject") {
        gi_frame, gi_iframe, gi_code, gi_name, gi_qualname, gi_running, gi_frame_state,
    }
    /// `PyCoroWrapper`, Objects/genobject.c: what `coroutine.__await__()` gives.
    PyCoroWrapper("PyCoroWrapper") { cw_coroutine }
    /// `PyAsyncGenASend`, Objects/genobject.c: what `__anext__()` and `asend()` give.
    PyAsyncGenASend("PyAsyncGenASend") { ags_gen }
    /// `PyAsyncGenAThrow`, Objects/genobject.c: what `athrow()` and `aclose()` give.
    PyAsyncGenAThrow("PyAsyncGenAThrow") { agt_gen }
    /// `anextawaitableobject`, from 3.10, Objects/iterobject.c: what `anext()` with a default gives.
    AnextAwaitable("anextawaitableobject") { wrapped }
    /// `PyTracebackObject`, Include/cpython/traceback.h.
    PyTracebackObject("PyTracebackObject", "_traceback") { tb_next, tb_frame, tb_lasti, tb_lineno }

    /// `PyObject`, Include/object.h. Free-threaded builds have `ob_gc_bits` instead of a `PyGC_Head` before the object.
    PyObject("PyObject", "_object") { ob_refcnt, ob_gc_bits, ob_type }
    /// `PyVarObject`, Include/object.h.
    PyVarObject("PyVarObject") { ob_size }
    /// `PyTypeObject`, Include/cpython/object.h.
    PyTypeObject("PyTypeObject", "_typeobject") {
        tp_name, tp_basicsize, tp_itemsize, tp_repr, tp_str, tp_flags, tp_dict, tp_dictoffset, tp_base, tp_mro, tp_members,
    }
    /// `PyHeapTypeObject`, Include/cpython/object.h.
    PyHeapTypeObject("PyHeapTypeObject", "_heaptypeobject") { ht_name, ht_qualname, ht_cached_keys }
    /// `PyMemberDef`, Include/structmember.h and Include/descrobject.h.
    PyMemberDef("PyMemberDef") { name, type_code = "type", offset, flags }
    /// `PyBaseExceptionObject`, Include/cpython/pyerrors.h.
    PyBaseExceptionObject("PyBaseExceptionObject") {
        dict, args, notes, traceback, context, cause, suppress_context,
    }
    /// `PyBaseExceptionGroupObject`, from 3.11; `excs_str` came with later releases of 3.13.
    PyBaseExceptionGroupObject("PyBaseExceptionGroupObject") { msg, excs, excs_str }
    /// `PySyntaxErrorObject`.
    PySyntaxErrorObject("PySyntaxErrorObject") { msg, filename, lineno }
    /// `PyOSErrorObject`, in 2.7 `PyEnvironmentErrorObject`. Only Windows has `winerror`, from 3.3.
    PyOSErrorObject("PyOSErrorObject", "PyEnvironmentErrorObject") {
        myerrno, strerror, filename, filename2, winerror, written,
    }
    /// `PyUnicodeErrorObject`.
    PyUnicodeErrorObject("PyUnicodeErrorObject") { encoding, object, start, end, reason }
    /// `PyImportErrorObject`.
    PyImportErrorObject("PyImportErrorObject") { msg, name, path }

    /// `PyIntObject`, of 2.7 only, Include/intobject.h: an int that fits a C long.
    PyIntObject("PyIntObject") { ob_ival }
    /// `PyLongObject`, Include/cpython/longintrepr.h. The size of `ob_digit` is that of one digit: 4 bytes for digits
    /// of 30 bits, 2 for those of 15.
    PyLongObject("PyLongObject", "_longobject") {
        lv_tag = "long_value.lv_tag", ob_digit = "long_value.ob_digit" | "ob_digit",
    }
    /// `PyFloatObject`.
    PyFloatObject("PyFloatObject") { ob_fval }
    /// `PyComplexObject`.
    PyComplexObject("PyComplexObject") { real = "cval.real", imag = "cval.imag" }
    /// `PyASCIIObject`, Include/cpython/unicodeobject.h. Its size is where the text of ASCII strings starts.
    PyASCIIObject("PyASCIIObject") {
        length, kind = "state.kind", compact = "state.compact", ascii = "state.ascii",
    }
    /// `PyCompactUnicodeObject`. Its size is where the text of compact strings starts.
    PyCompactUnicodeObject("PyCompactUnicodeObject") { utf8_length }
    /// `PyUnicodeObject`. In 2.7 all texts have `length` characters of type `Py_UNICODE` at `str`.
    PyUnicodeObject("PyUnicodeObject") { data, length, str }
    /// `PyBytesObject`; `PyStringObject` in 2.7, where it is the type `str`.
    PyBytesObject("PyBytesObject", "PyStringObject") { ob_sval }
    /// `PyStringObject`, of 2.7 only, Include/stringobject.h.
    PyStringObject("PyStringObject") { ob_shash }
    /// `PyByteArrayObject`.
    PyByteArrayObject("PyByteArrayObject") { ob_start = "ob_start" | "ob_bytes" }
    /// `PyTupleObject`.
    PyTupleObject("PyTupleObject") { ob_item }
    /// `PyListObject`.
    PyListObject("PyListObject") { ob_item }
    /// `PyDictObject`, Include/cpython/dictobject.h.
    PyDictObject("PyDictObject", "_dictobject") { ma_used, ma_keys, ma_values, ma_mask, ma_table }
    /// `PyDictEntry`, of 2.7 only, Include/dictobject.h.
    PyDictEntry("PyDictEntry") { me_key, me_value }
    /// `PyDictKeysObject`, Objects/dict-common.h and Include/internal/pycore_dict.h.
    PyDictKeysObject("PyDictKeysObject", "_dictkeysobject") {
        dk_size, dk_log2_size, dk_log2_index_bytes, dk_kind, dk_nentries, dk_indices,
    }
    /// `PyDictKeyEntry`.
    PyDictKeyEntry("PyDictKeyEntry") { me_key, me_value }
    /// `PyDictUnicodeEntry`, from 3.11.
    PyDictUnicodeEntry("PyDictUnicodeEntry") { me_key, me_value }
    /// `PyDictValues`, from 3.11; 3.13 adds the header.
    PyDictValues("PyDictValues", "_dictvalues") { capacity, size, valid, values }
    /// `PyDictOrValues`, of 3.12 only, Include/internal/pycore_object.h: the slot before instances with a managed
    /// dict, a tagged pointer.
    PyDictOrValues("PyDictOrValues") { dict, values }
    /// `PyFrozenDictObject`, from 3.15, Include/internal/pycore_dict.h: a `PyDictObject` with its hash.
    PyFrozenDictObject("PyFrozenDictObject") { ma_hash }
    /// `PyODictObject`, Objects/odictobject.c.
    PyODictObject("PyODictObject", "_odictobject") { od_first }
    /// `_ODictNode`, Objects/odictobject.c.
    ODictNode("_ODictNode", "_odictnode") { key, hash, next }
    /// `PySetObject`.
    PySetObject("PySetObject", "_setobject") { used, mask, table }
    /// `setentry`.
    SetEntry("setentry") { key, hash }
    /// `dequeobject`, Modules/_collectionsmodule.c. It has `len` in 2.7; later `ob_size` says it.
    DequeObject("dequeobject") { leftblock, leftindex, maxlen, len }
    /// `block`, Modules/_collectionsmodule.c.
    DequeBlock("block", "BLOCK") { data, rightlink }
    /// `defdictobject`, Modules/_collectionsmodule.c.
    DefDictObject("defdictobject") { default_factory }
    /// `rangeobject`, Objects/rangeobject.c. In 2.7 it is `xrange`, of C longs, and has `len` instead of `stop`.
    RangeObject("rangeobject") { start, stop, step, len }
    /// `PySliceObject`.
    PySliceObject("PySliceObject") { start, stop, step }
    /// `mappingproxyobject`, Objects/descrobject.c; `proxyobject` in 2.7.
    MappingProxyObject("mappingproxyobject", "proxyobject") { mapping = "mapping" | "dict" }
    /// `_PyDictViewObject`, Objects/dictobject.c up to 3.6.
    PyDictViewObject("_PyDictViewObject", "dictviewobject") { dv_dict }
    /// `_PyNamespaceObject`, Objects/namespaceobject.c.
    PyNamespaceObject("_PyNamespaceObject") { ns_dict }

    /// `PyFunctionObject`, Include/cpython/funcobject.h.
    PyFunctionObject("PyFunctionObject") { func_name, func_qualname, func_code, func_globals, func_closure, func_module }
    /// `PyMethodObject`.
    PyMethodObject("PyMethodObject") { im_func, im_self, im_class }
    /// `PyClassObject`, of 2.7 only, Include/classobject.h: a class that derives from nothing.
    PyClassObject("PyClassObject") { cl_bases, cl_dict, cl_name }
    /// `PyInstanceObject`, of 2.7 only, Include/classobject.h: an instance of such a class.
    PyInstanceObject("PyInstanceObject") { in_class, in_dict }
    /// `PyFileObject`, of 2.7 only, Include/fileobject.h.
    PyFileObject("PyFileObject") { f_fp, f_name, f_mode }
    /// `PyBufferObject`, of 2.7 only, Objects/bufferobject.c.
    PyBufferObject("PyBufferObject") { b_base, b_ptr, b_size, b_offset, b_readonly }
    /// `PyCFunctionObject`.
    PyCFunctionObject("PyCFunctionObject") { m_ml, m_self, m_module }
    /// `PyMethodDef`.
    PyMethodDef("PyMethodDef") { ml_name }
    /// `PyDescrObject`, Include/descrobject.h: the head of every C descriptor.
    PyDescrObject("PyDescrObject") { d_type, d_name }
    /// `PyMethodDescrObject`, Include/descrobject.h: a method of a C type.
    PyMethodDescrObject("PyMethodDescrObject") { d_method }
    /// `wrapperobject`, Objects/descrobject.c: a bound slot wrapper.
    WrapperObject("wrapperobject") { descr, self_object = "self" }
    /// `PyModuleObject`, Objects/moduleobject.c and Include/internal/pycore_moduleobject.h.
    PyModuleObject("PyModuleObject") { md_dict, md_name }
    /// `PyWeakReference`.
    PyWeakReference("PyWeakReference", "_PyWeakReference") { wr_object }
    /// `classmethod`, Objects/funcobject.c.
    ClassMethod("classmethod") { cm_callable }
    /// `staticmethod`, Objects/funcobject.c.
    StaticMethod("staticmethod") { sm_callable }
    /// `partialobject`, Modules/_functoolsmodule.c.
    PartialObject("partialobject") { function = "fn", args, kw }
    /// `PyMemoryViewObject`.
    PyMemoryViewObject("PyMemoryViewObject") { flags, buf = "view.buf", len = "view.len", format = "view.format" }
    /// `lockobject`, Modules/_threadmodule.c.
    LockObject("lockobject") { locked }
    /// `lockobject` of later releases of 3.13 and from 3.14, Modules/_threadmodule.c: for 3.13 made from the headers by
    /// `scripts/make-layouts`.
    MutexLockObject("mutexlockobject", "lockobject") { lock }
    /// `rlockobject`, Modules/_threadmodule.c; from 3.14 a `_PyRecursiveMutex`, whose `level` counts what comes on top
    /// of the first time.
    RLockObject("rlockobject") {
        rlock_owner = "rlock_owner" | "lock.thread", rlock_count, mutex = "lock.mutex", level = "lock.level",
    }
    /// `PatternObject`, Modules/_sre.
    PatternObject("PatternObject") { pattern, flags }
    /// `simplequeueobject`, Modules/_queuemodule.c: up to 3.12 the items of the list `lst` from `lst_pos` on; from
    /// 3.13 `ring_count` items of the array `ring_items`, which has `ring_capacity` and wraps around, from `ring_first`
    /// on.
    SimpleQueueObject("simplequeueobject") {
        lst, lst_pos, ring_items = "buf.items", ring_capacity = "buf.items_cap", ring_first = "buf.get_idx",
        ring_count = "buf.num_items",
    }
    /// `countobject`, Modules/itertoolsmodule.c.
    CountObject("countobject") { cnt, long_cnt, long_step }
    /// `repeatobject`, Modules/itertoolsmodule.c.
    RepeatObject("repeatobject") { element, cnt }

    /// `MatchObject`, Modules/_sre: `mark` has the start and the end of each group, in items of `string`.
    MatchObject("MatchObject") { string, pattern, groups, mark }
    /// `itemgetterobject`, Modules/_operator.c.
    ItemGetterObject("itemgetterobject") { nitems, item }
    /// `attrgetterobject`, Modules/_operator.c.
    AttrGetterObject("attrgetterobject") { nattrs, attr }
    /// `gaobject`, from 3.9, Objects/genericaliasobject.c.
    GenericAlias("gaobject") { origin, args, starred }
    /// `unionobject`, from 3.10, Objects/unionobject.c.
    UnionObject("unionobject") { args }
    /// `templateobject`, from 3.14, Objects/templateobject.c.
    TemplateObject("templateobject") { strings, interpolations }
    /// `interpolationobject`, from 3.14, Objects/interpolationobject.c.
    InterpolationObject("interpolationobject") { value, expression, conversion, format_spec }
    /// `sentinelobject`, from 3.15, Objects/sentinelobject.c.
    SentinelObject("sentinelobject") { name, repr }
    /// `PyLazyImportObject`, from 3.15, Include/internal/pycore_lazyimportobject.h.
    PyLazyImportObject("PyLazyImportObject") { lz_from, lz_attr }
    /// `superobject`, Objects/typeobject.c.
    SuperObject("superobject") { class = "type", obj_type }
    /// `PyContextVar`, Include/internal/pycore_context.h.
    PyContextVar("_pycontextvarobject", "PyContextVar") { var_name, var_default, var_cached }
    /// `PyContextToken`, Include/internal/pycore_context.h.
    PyContextToken("_pycontexttokenobject", "PyContextToken") { tok_var, tok_used }
    /// `PyThreadHandleObject`, from 3.13, Modules/_threadmodule.c.
    PyThreadHandleObject("PyThreadHandleObject") { handle }
    /// `ThreadHandle`, from 3.13, Modules/_threadmodule.c.
    ThreadHandle("ThreadHandle") { ident }
    /// `fileio`, Modules/_io/fileio.c.
    FileIO("fileio") { fd, created, readable, writable, appending, closefd }
    /// `buffered`, Modules/_io/bufferedio.c.
    Buffered("buffered") { raw, ok, detached }
    /// `textio`, Modules/_io/textio.c.
    TextIO("textio") { ok, detached, buffer, encoding }

    /// `arrayobject`, Modules/arraymodule.c.
    ArrayObject("arrayobject") { ob_item, ob_descr }
    /// `struct arraydescr`, Modules/arraymodule.c.
    ArrayDescr("arraydescr") { typecode, itemsize }
    /// `PyDateTime_Delta`, Include/datetime.h.
    PyDateTimeDelta("PyDateTime_Delta") { days, seconds, microseconds }
    /// `PyDateTime_Date`.
    PyDateTimeDate("PyDateTime_Date") { data }
    /// `PyDateTime_Time`.
    PyDateTimeTime("PyDateTime_Time") { hastzinfo, fold, data, tzinfo }
    /// `PyDateTime_DateTime`.
    PyDateTimeDateTime("PyDateTime_DateTime") { hastzinfo, fold, data, tzinfo }
    /// `PyDateTime_TimeZone`, Modules/_datetimemodule.c.
    PyDateTimeTimeZone("PyDateTime_TimeZone") { offset, name }
    /// `PyZoneInfo_ZoneInfo`, from 3.9, Modules/_zoneinfo.c.
    PyZoneInfo("PyZoneInfo_ZoneInfo") { key, file_repr }
    /// `PySocketSockObject`, Modules/socketmodule.h.
    PySocketSockObject("PySocketSockObject") { sock_fd, sock_family, sock_type, sock_proto }
    /// `PyDecObject`, Modules/_decimal/_decimal.c, with its `mpd_t`.
    PyDecObject("PyDecObject") {
        flags = "dec.flags", exp = "dec.exp", digits = "dec.digits", len = "dec.len", data = "dec.data",
    }

    /// `FutureObj`, Modules/_asynciomodule.c.
    FutureObj("FutureObj") {
        fut_loop, fut_callback0, fut_callbacks, fut_exception, fut_result, fut_state,
    }
    /// `TaskObj`, Modules/_asynciomodule.c: begins as a `FutureObj` does.
    TaskObj("TaskObj") { task_fut_waiter, task_coro, task_name, task_must_cancel, task_num_cancels_requested, task_node }
    /// `TaskWakeupMethWrapper`, up to 3.9, Modules/_asynciomodule.c: the callback by which a future wakes a task.
    TaskWakeupMethWrapper("TaskWakeupMethWrapper") { ww_task }
    /// `futureiterobject`, Modules/_asynciomodule.c: what `future.__await__()` gives.
    FutureIter("futureiterobject") { future }
    /// `PyRunningLoopHolder`, up to 3.13, Modules/_asynciomodule.c.
    PyRunningLoopHolder("PyRunningLoopHolder") { rl_loop }

    /// `mi_segment_t` of mimalloc, Include/internal/mimalloc/mimalloc/types.h.
    MiSegment("mi_segment_s") of "mimalloc" {
        segment_size, used, segment_slices, segment_info_slices, slice_entries, slices,
    }
    /// `mi_page_t` of mimalloc, which `mi_slice_t` is too, as free-threaded builds have it.
    MiPage("mi_page_s") of "mimalloc" {
        slice_count, capacity, free, local_free, used, block_size = "block_size" | "xblock_size", page_start,
        heap_tag = "heap_tag" | "tag", xthread_free,
    }

    /// `PyArrayObject_fields` of numpy, numpy/ndarraytypes.h; the same in numpy 1 and 2.
    PyArrayObject("PyArrayObject_fields") of "numpy" { data, nd, dimensions, strides, base, descr, flags }
    /// `PyArray_Descr` of numpy 1, `_PyArray_LegacyDescr` of numpy 2, numpy/ndarraytypes.h: a `numpy.dtype`. Up to
    /// `type_num` both agree; behind it numpy 2 has wider fields and another order. The types of dtypes that are new
    /// in numpy 2 (`StringDType`) end before `subarray`.
    PyArrayDescr("_PyArray_LegacyDescr", "PyArray_Descr") of "numpy" {
        typeobj, kind, type_char = "type", byteorder, type_num, flags, elsize, alignment, subarray, fields, names,
        metadata, c_metadata,
    }
    /// `PyArray_ArrayDescr` of numpy, which `PyArrayDescr.subarray` points to.
    PyArrayArrayDescr("PyArray_ArrayDescr") of "numpy" { base, shape }
    /// `PyArray_DatetimeDTypeMetaData` of numpy, which `PyArrayDescr.c_metadata` of datetime64 and timedelta64 points
    /// to: the `NPY_DATETIMEUNIT` and how many of it.
    PyArrayDatetimeMeta("PyArray_DatetimeDTypeMetaData") of "numpy" { unit = "meta.base", count = "meta.num" }
    /// `PyScalarObject` of numpy, numpy/arrayscalars.h: the head of every scalar. All of them but `str_` (a str),
    /// `bytes_` (a bytes) and `void` have their value at `obval`, as long as an item of their dtype.
    PyScalarObject("PyScalarObject") of "numpy" { obval }
    /// `PyDatetimeScalarObject` of numpy; `PyTimedeltaScalarObject` is the same.
    PyDatetimeScalarObject("PyDatetimeScalarObject") of "numpy" { obval, unit = "obmeta.base", count = "obmeta.num" }
    /// `PyVoidScalarObject` of numpy: a structured scalar; `obval` points to its bytes.
    PyVoidScalarObject("PyVoidScalarObject") of "numpy" { obval, descr, flags, base }
    /// `PyGreenlet` of greenlet, src/greenlet/greenlet.h: from 2.0 on the state is a C++ object of its own, `pimpl`.
    PyGreenlet("PyGreenlet") of "greenlet" { dict, pimpl }
    /// The state of a greenlet: `PyGreenlet` itself before 2.0, then `greenlet::UserGreenlet` (`MainGreenlet` has its first
    /// fields, up to `top_frame`). `self_object` is the `PyGreenlet`.
    GreenletState("Greenlet", "PyGreenlet") of "greenlet" {
        self_object, stack_start, stack_stop, stack_copy, stack_saved, top_frame, main_greenlet, run = "run" | "run_info",
        parent,
    }
}
