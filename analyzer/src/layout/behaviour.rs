//! What versions of CPython do differently without any field telling: the versions' one place besides the tables.

use super::{Abi, Layout, StaticTypes};

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

/// How far the frame of a generator has come: `enum _framestate`, Include/internal/pycore_frame.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameState {
    /// It was not started.
    Created,
    /// It waits at a `yield`; before 3.13 perhaps at one of a `yield from` or `await`.
    Suspended,
    /// It waits at a `yield from` or `await`, from 3.13.
    Delegating,
    /// It is being executed.
    Executing,
    /// It ended.
    Finished,
}

impl Layout {
    fn since(&self, minor: u8) -> bool {
        self.python >= (3, minor)
    }

    /// Where the static types of this version can be met, and what they are called.
    pub fn static_types(&self) -> StaticTypes {
        StaticTypes::of(self.python)
    }

    /// Whether values print as in Python 2: `u''`, `1L`, `set([])`, `<type 'int'>`.
    pub fn prints_like_python_2(&self) -> bool {
        self.python < (3, 0)
    }

    /// `os.sep`.
    pub fn path_separator(&self) -> char {
        match self.abi {
            Abi::Lp64 => '/',
            Abi::Llp64 => '\\',
        }
    }

    /// `__module__` of the builtin types.
    pub fn builtins(&self) -> &'static str {
        if self.since(0) { "builtins" } else { "__builtin__" }
    }

    /// Whether types of this module are named without it: the builtin ones. In 2.7 the exceptions are in a module of
    /// their own, whose names are builtins too.
    pub fn is_builtins(&self, module: &str) -> bool {
        module == self.builtins() || !self.since(0) && module == "exceptions"
    }

    /// The attribute of a `threading.Thread` that has its name: private, and mangled, in 2.7.
    pub fn thread_name_attribute(&self) -> &'static str {
        if self.since(0) { "_name" } else { "_Thread__name" }
    }

    /// Whether the line increments of `co_lnotab` are signed.
    pub fn line_increments_are_signed(&self) -> bool {
        self.since(6)
    }

    /// Whether `repr` of a `bytearray`, `deque` or `defaultdict` names a subclass by its own name.
    pub fn containers_name_their_class(&self) -> bool {
        self.since(7)
    }

    /// Whether `repr` of a `timedelta` names its parts.
    pub fn time_deltas_name_their_parts(&self) -> bool {
        self.since(7)
    }

    /// Whether `repr` of an exception with one argument shows the comma of a tuple.
    pub fn exceptions_show_tuples(&self) -> bool {
        !self.since(7)
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

    /// How many bytes `f_lasti` counts by: instructions of two bytes from 3.10 on, single bytes before.
    pub fn bytes_per_lasti(&self) -> i64 {
        if self.since(10) { 2 } else { 1 }
    }

    /// How many bytes `tb_lasti` counts by: as `f_lasti` in 3.10, single bytes before and after.
    pub fn bytes_per_traceback_lasti(&self) -> i64 {
        if self.since(11) { 1 } else { self.bytes_per_lasti() }
    }

    /// What a number in `gi_frame_state` (in `f_state` of 3.10) means.
    pub fn frame_state(&self, number: i64) -> FrameState {
        // From 3.13 on a state tells delegation apart, 3.15 counts from 0.
        let (created, suspended, delegating, executing) = if self.since(15) {
            (0, 1, 2..=3, 4)
        } else if self.since(13) {
            (-3, -2, -1..=-1, 0)
        } else {
            #[expect(clippy::reversed_empty_ranges, reason = "no number means it")]
            (-2, -1, 1..=0, 0)
        };
        match number {
            number if number == created => FrameState::Created,
            number if number == suspended => FrameState::Suspended,
            number if delegating.contains(&number) => FrameState::Delegating,
            number if number == executing => FrameState::Executing,
            _ => FrameState::Finished,
        }
    }

    /// How many places below the end of a suspended frame's value stack what it delegates to lies: `_PyGen_yf`,
    /// Objects/genobject.c. From 3.15 on an index is above it.
    pub fn delegate_depth(&self) -> u64 {
        if self.since(15) { 2 } else { 1 }
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

    /// Whether a module without an origin is described by its loader's `module_repr`, such as `(built-in)`.
    pub fn loaders_describe_modules(&self) -> bool {
        !self.since(12)
    }

    /// Whether `repr` of a struct sequence is cut to fit a buffer of 512 bytes.
    pub fn struct_sequences_are_cut(&self) -> bool {
        !self.since(8)
    }

    /// Whether `repr` of a weak proxy has the form of a reference's: `<weakproxy at ...; to 'X' at ...>`.
    pub fn proxies_look_like_references(&self) -> bool {
        self.since(13)
    }

    /// Whether generic aliases show what is in lists of arguments by its names.
    pub fn aliases_look_into_lists(&self) -> bool {
        self.since(12)
    }

    /// Whether `argparse.Namespace` shows its names sorted.
    pub fn parsed_arguments_are_sorted(&self) -> bool {
        !self.since(9)
    }

    /// Whether the members of an `IntEnum` show only their numbers as `str`.
    pub fn int_enums_are_numbers(&self) -> bool {
        self.since(11)
    }

    /// Whether descriptors of `object`, which classes share, do not name their owner: `<attribute '__dict__'>`.
    pub fn shared_descriptors_name_no_owner(&self) -> bool {
        self.since(15)
    }

    /// Whether `repr` of an `ImportError` shows `name` and `path`.
    pub fn import_errors_show_their_names(&self) -> bool {
        self.since(15)
    }

    /// Whether an IPv6 address that stands for an IPv4 one is written as such.
    pub fn mapped_addresses_are_dotted(&self) -> bool {
        self.since(13)
    }
}
