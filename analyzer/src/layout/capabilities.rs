//! What an interpreter can do and how it keeps things, so that decoders never ask for a version. This is the one
//! place of the decoders' side where versions are compared; wherever the fields of the table tell, they are asked.

use super::Layout;

/// Where a thread's innermost frame hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameModel {
    /// `tstate->frame`, a `PyFrameObject`: up to 3.10.
    FrameObject,
    /// `tstate->cframe->current_frame`, a `_PyInterpreterFrame`: 3.11 and 3.12.
    CFrame,
    /// `tstate->current_frame`, a `_PyInterpreterFrame`: from 3.13.
    CurrentFrame,
}

/// How a code object maps instructions to lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineTableModel {
    /// `co_lnotab`, Objects/lnotab_notes.txt: up to 3.9.
    Lnotab,
    /// `co_linetable` of PEP 626: 3.10.
    LineTable,
    /// `co_linetable` of PEP 657, Objects/locations.md: from 3.11.
    LocationTable,
}

/// Where an `int` keeps its sign and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntModel {
    /// In `ob_size`: up to 3.11.
    ObSize,
    /// In `lv_tag`: from 3.12.
    LvTag,
}

/// In which order a split table's values were inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitOrder {
    /// In that of the shared keys: up to 3.10.
    Keys,
    /// Indices in bytes that lie in front of the values: 3.11 and 3.12.
    BeforeValues,
    /// Indices in bytes behind the values: from 3.13.
    BehindValues,
}

/// Where objects with `Py_TPFLAGS_MANAGED_DICT` keep their dictionary, Include/internal/pycore_object.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagedDict {
    /// A pointer to the values four words, one to the dict three words before the object: 3.11.
    SeparateValues,
    /// One pointer three words before the object, its lowest bit set when it points to values: 3.12.
    TaggedValues,
    /// The dict three words before the object, values inline behind it: from 3.13.
    InlineValues,
}

impl Layout {
    fn since(&self, minor: u8) -> bool {
        self.python >= (3, minor)
    }

    /// Where a thread's innermost frame hangs.
    pub fn frame_model(&self) -> FrameModel {
        let thread = &self.structs.PyThreadState;
        if thread.frame.exists() {
            FrameModel::FrameObject
        } else if thread.current_frame.exists() {
            FrameModel::CurrentFrame
        } else {
            FrameModel::CFrame
        }
    }

    /// How a code object maps instructions to lines.
    pub fn line_table_model(&self) -> LineTableModel {
        let code = &self.structs.PyCodeObject;
        if code.co_lnotab.exists() {
            LineTableModel::Lnotab
        } else if code.co_code_adaptive.exists() {
            LineTableModel::LocationTable
        } else {
            LineTableModel::LineTable
        }
    }

    /// Where an `int` keeps its sign and size.
    pub fn int_model(&self) -> IntModel {
        if self.structs.PyLongObject.lv_tag.exists() { IntModel::LvTag } else { IntModel::ObSize }
    }

    /// In which order a split table's values were inserted.
    pub fn split_order(&self) -> SplitOrder {
        let values = &self.structs.PyDictValues;
        if !values.values.exists() {
            SplitOrder::Keys
        } else if values.capacity.exists() {
            SplitOrder::BehindValues
        } else {
            SplitOrder::BeforeValues
        }
    }

    /// Where objects with a managed dictionary keep it.
    pub fn managed_dict(&self) -> ManagedDict {
        if self.structs.PyDictValues.valid.exists() {
            ManagedDict::InlineValues
        } else if self.since(12) {
            ManagedDict::TaggedValues
        } else {
            ManagedDict::SeparateValues
        }
    }

    /// Whether `repr` of an `OrderedDict` shows a dict instead of a list of pairs.
    pub fn ordered_dict_shows_a_dict(&self) -> bool {
        self.since(12)
    }

    /// Whether `repr` of a `SimpleNamespace` sorts the names.
    pub fn namespace_sorts_its_names(&self) -> bool {
        !self.since(9)
    }

    /// Whether combinations of flags carry a name of their own, and flag classes call themselves `<flag ...>`.
    pub fn flags_name_themselves(&self) -> bool {
        self.since(11)
    }

    /// Whether `repr` of a weak reference gives the type of its target with the module.
    pub fn weak_references_name_the_module(&self) -> bool {
        self.since(13)
    }

    /// Whether `repr` of a namespace package says `(namespace)` instead of naming the loader.
    pub fn namespace_packages_say_so(&self) -> bool {
        !self.since(11)
    }
}
