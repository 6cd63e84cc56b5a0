//! What an interpreter is able to do or how it is built, by the fields that its structs have. Code outside this room
//! asks for these, never for a version.

use super::table::{Abi, Layout};

/// How a thread state leads to its innermost frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameModel {
    /// Up to 3.10: `PyThreadState.frame` is a `PyFrameObject`, `f_back` leads outwards.
    FrameObject,
    /// 3.11 and 3.12: `PyThreadState.cframe->current_frame` is a `_PyInterpreterFrame`.
    CFrame,
    /// From 3.13: `PyThreadState.current_frame` is a `_PyInterpreterFrame`.
    CurrentFrame,
}

/// How a code object maps instructions to lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineTableModel {
    /// Up to 3.9: `co_lnotab`, pairs of an unsigned bytecode and a signed line increment.
    Lnotab,
    /// 3.10: `co_linetable`, pairs as above with -128 for "no line"; `f_lasti` counts code units of 2 bytes.
    Linetable310,
    /// From 3.11: `co_linetable` is the location table, Objects/locations.md.
    LocationTable,
}

/// How an int holds its sign and the number of its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntModel {
    /// Up to 3.11: `ob_size`, negative for negative numbers.
    ObSize,
    /// From 3.12: `lv_tag`, the digits above its 3 low bits, of which 2 are the sign.
    LvTag,
}

/// How texts and names are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrModel {
    /// 2.7: `str` is a string of bytes, which names are; `unicode` is an array of `Py_UNICODE`.
    BytesAndUnicode,
    /// From 3.3: `str` has characters of 1, 2 or 4 bytes (PEP 393).
    Compact,
}

/// How a dict holds its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DictModel {
    /// Up to 3.5: a hash table of entries.
    Table,
    /// From 3.6: an array of entries in the order of insertion, and a hash table of indices into it.
    Compact,
}

/// Where the exceptions are that a thread handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandledModel {
    /// Up to 3.6: the innermost in the thread state, what was handled before it in frames.
    ThreadState,
    /// From 3.7: in a stack of their own, `PyThreadState.exc_info`.
    Stack,
}

/// How a thread state holds the exception in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaisedModel {
    /// Up to 3.11: `curexc_type`, `curexc_value`, `curexc_traceback`; the value may still be what the exception will
    /// be made of.
    Triple,
    /// From 3.12: `current_exception`, always an exception with its traceback.
    Single,
}

/// Where it is written which thread holds the GIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GilModel {
    /// Up to 3.6: one for the process, in variables of its own.
    Globals,
    /// From 3.7 to 3.11: one for the process, in `_PyRuntime`.
    Runtime,
    /// From 3.12: `PyInterpreterState.ceval.gil`, which interpreters may share.
    Interpreter,
}

/// How a type with `Py_TPFLAGS_MANAGED_DICT` keeps the attributes of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceDictModel {
    /// Up to 3.10: no such types, `tp_dictoffset` leads to the dict.
    DictOffset,
    /// 3.11: `PyDictValues *` 4 words before the object, the dict 3 words before it.
    ValuesAndDict,
    /// 3.12: `PyDictOrValues`, one slot 3 words before the object; odd (plus 1) for values.
    DictOrValues,
    /// From 3.13: values within the object behind `tp_basicsize` where `Py_TPFLAGS_INLINE_VALUES`; the dict
    /// [`Layout::managed_dict_words`] before the object.
    Inline,
}

/// How a code object names its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariablesModel {
    /// Up to 3.10: `co_varnames`, `co_cellvars`, `co_freevars`, in this order in a frame's `f_localsplus`.
    Tuples,
    /// From 3.11: `co_localsplusnames` and `co_localspluskinds`.
    LocalsPlus,
}

impl Layout {
    /// Whether the C library writes addresses (`%p`) with all of their 16 digits, in upper case, as Microsoft's does.
    pub fn pointers_have_all_digits(&self) -> bool {
        self.abi == Abi::Llp64
    }

    /// How a thread state leads to its innermost frame; `None` for a table that has none of the ways.
    pub fn frame_model(&self) -> Option<FrameModel> {
        let thread = &self.structs.PyThreadState;
        if thread.frame.exists() {
            Some(FrameModel::FrameObject)
        } else if thread.cframe.exists() && self.structs.PyCFrame.current_frame.exists() {
            Some(FrameModel::CFrame)
        } else if thread.current_frame.exists() {
            Some(FrameModel::CurrentFrame)
        } else {
            None
        }
    }

    /// How a code object maps instructions to lines; `None` for a table that has none of the ways.
    pub fn line_table_model(&self) -> Option<LineTableModel> {
        let code = &self.structs.PyCodeObject;
        if code.co_lnotab.exists() {
            Some(LineTableModel::Lnotab)
        } else if !code.co_linetable.exists() {
            None
        } else if code.co_code_adaptive.exists() {
            Some(LineTableModel::LocationTable)
        } else {
            Some(LineTableModel::Linetable310)
        }
    }

    /// How an int holds its sign and the number of its digits.
    pub fn int_model(&self) -> IntModel {
        if self.structs.PyLongObject.lv_tag.exists() { IntModel::LvTag } else { IntModel::ObSize }
    }

    /// How texts and names are held.
    pub fn str_model(&self) -> StrModel {
        if self.structs.PyUnicodeObject.str.exists() { StrModel::BytesAndUnicode } else { StrModel::Compact }
    }

    /// How a dict holds its entries.
    pub fn dict_model(&self) -> DictModel {
        if self.structs.PyDictObject.ma_table.exists() { DictModel::Table } else { DictModel::Compact }
    }

    /// Where the exceptions are that a thread handles.
    pub fn handled_model(&self) -> HandledModel {
        if self.structs.PyThreadState.exc_info.exists() {
            HandledModel::Stack
        } else {
            HandledModel::ThreadState
        }
    }

    /// Whether `Py_UNICODE` may have 2 bytes: an option of the build of 2.7.
    pub fn narrow_unicode_is_possible(&self) -> bool {
        self.str_model() == StrModel::BytesAndUnicode
    }

    /// Bits of a digit of an int, `PyLong_SHIFT`: an option of the build, which goes with the size of a digit.
    pub fn digit_bits(&self) -> u32 {
        match self.structs.PyLongObject.ob_digit.place {
            Some(place) if place.size == 2 => 15,
            _ => 30,
        }
    }

    /// How a thread state holds the exception in flight.
    pub fn raised_model(&self) -> RaisedModel {
        if self.structs.PyThreadState.current_exception.exists() {
            RaisedModel::Single
        } else {
            RaisedModel::Triple
        }
    }

    /// Where it is written which thread holds the GIL.
    pub fn gil_model(&self) -> GilModel {
        if self.structs.PyInterpreterState.gil.exists() {
            GilModel::Interpreter
        } else if self.structs.PyRuntimeState.tstate_current.exists() {
            GilModel::Runtime
        } else {
            GilModel::Globals
        }
    }

    /// How a type with `Py_TPFLAGS_MANAGED_DICT` keeps the attributes of its instances.
    pub fn instance_dict_model(&self) -> InstanceDictModel {
        if self.structs.PyDictValues.capacity.exists() {
            InstanceDictModel::Inline
        } else if self.structs.PyDictOrValues.dict.exists() {
            InstanceDictModel::DictOrValues
        } else if self.structs.PyDictValues.values.exists() {
            InstanceDictModel::ValuesAndDict
        } else {
            InstanceDictModel::DictOffset
        }
    }

    /// Whether the slots of frames hold a `_PyStackRef`, a pointer with a tag in its 2 low bits: from 3.14.
    pub fn has_tagged_references(&self) -> bool {
        self.structs.PyInterpreterFrame.stackpointer.exists()
    }

    /// How far before an object its managed dict pointer lies, in words: from 3.11 on two words more where a `PyGC_Head`
    /// is between them (`MANAGED_DICT_OFFSET`, Include/internal/pycore_object.h).
    pub fn managed_dict_words(&self) -> u64 {
        if self.structs.PyObject.ob_gc_bits.exists() { 1 } else { 3 }
    }

    /// How a code object names its variables.
    pub fn variables_model(&self) -> VariablesModel {
        if self.structs.PyCodeObject.co_localsplusnames.exists() {
            VariablesModel::LocalsPlus
        } else {
            VariablesModel::Tuples
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::LayoutRegistry;

    /// Each capability by minor version, as CPython's sources have it.
    #[test]
    fn built_in_tables_have_the_capabilities_of_their_versions() {
        for entry in LayoutRegistry::new().entries() {
            let layout = entry.layout().unwrap();
            // 2.7 is older than all of 3.
            let minor = if entry.target.python.0 == 2 { 0 } else { entry.target.python.1 };
            let frame = match minor {
                ..=10 => FrameModel::FrameObject,
                11 | 12 => FrameModel::CFrame,
                _ => FrameModel::CurrentFrame,
            };
            let lines = match minor {
                ..=9 => LineTableModel::Lnotab,
                10 => LineTableModel::Linetable310,
                _ => LineTableModel::LocationTable,
            };
            let dicts = match minor {
                ..=10 => InstanceDictModel::DictOffset,
                11 => InstanceDictModel::ValuesAndDict,
                12 => InstanceDictModel::DictOrValues,
                _ => InstanceDictModel::Inline,
            };
            let since = |first: u8| minor >= first;
            assert_eq!(layout.frame_model(), Some(frame), "3.{minor}");
            assert_eq!(layout.line_table_model(), Some(lines), "3.{minor}");
            assert_eq!(layout.instance_dict_model(), dicts, "3.{minor}");
            assert_eq!(layout.int_model() == IntModel::LvTag, since(12), "3.{minor}");
            assert_eq!(layout.raised_model() == RaisedModel::Single, since(12), "3.{minor}");
            assert_eq!(layout.gil_model() == GilModel::Interpreter, since(12), "3.{minor}");
            assert_eq!(layout.variables_model() == VariablesModel::LocalsPlus, since(11), "3.{minor}");
            assert_eq!(layout.has_tagged_references(), since(14), "3.{minor}");
            assert_eq!(layout.str_model() == StrModel::Compact, since(3), "3.{minor}");
            assert_eq!(layout.dict_model() == DictModel::Compact, since(6), "3.{minor}");
            assert_eq!(layout.handled_model() == HandledModel::Stack, since(7), "3.{minor}");
            assert_eq!(layout.digit_bits(), 30, "3.{minor}");
        }
    }

    #[test]
    fn an_empty_table_has_no_frames_and_no_lines() {
        let layout = Layout::new("empty".to_owned(), (3, 11), "14.0.0".to_owned());
        assert_eq!(layout.frame_model(), None);
        assert_eq!(layout.line_table_model(), None);
    }
}
