//! Types: names, flags, method resolution order, and whose `__repr__` an instance uses.

use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::layout::{Field, StrModel};
use std::cell::OnceCell;
use std::rc::Rc;

/// `Py_TPFLAGS_HEAPTYPE`, Include/object.h.
const HEAPTYPE: u64 = 1 << 9;
/// `Py_TPFLAGS_MANAGED_DICT`, from 3.11.
const MANAGED_DICT: u64 = 1 << 4;
/// `Py_TPFLAGS_INLINE_VALUES`, from 3.13.
const INLINE_VALUES: u64 = 1 << 2;
/// `Py_TPFLAGS_LONG_SUBCLASS` and its neighbours.
const LONG_SUBCLASS: u64 = 1 << 24;
const LIST_SUBCLASS: u64 = 1 << 25;
pub(super) const TUPLE_SUBCLASS: u64 = 1 << 26;
pub(super) const BYTES_SUBCLASS: u64 = 1 << 27;
pub(super) const UNICODE_SUBCLASS: u64 = 1 << 28;
const DICT_SUBCLASS: u64 = 1 << 29;
const BASE_EXC_SUBCLASS: u64 = 1 << 30;
const TYPE_SUBCLASS: u64 = 1 << 31;
/// `Py_TPFLAGS_INT_SUBCLASS` and `Py_TPFLAGS_STRING_SUBCLASS` of 2.7: a short int, a `str` of bytes.
const INT_SUBCLASS: u64 = 1 << 23;
const STRING_SUBCLASS: u64 = 1 << 27;

/// The longest method resolution order that is followed.
const MAX_MRO: u64 = 256;

/// Where a type's `__repr__` or `__str__` comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodSource {
    /// The C code of this type, by its full name: `int`, `collections.deque`, `object`.
    Native(String),
    /// A Python function.
    Python {
        /// `__name__` of the module whose globals it uses.
        module: String,
        /// Its qualified name.
        qualname: String,
        /// The function object.
        function: Address,
    },
    /// It could not be found out.
    Unknown(String),
}

/// What is known of a type.
#[derive(Clone, Debug)]
pub struct TypeInfo {
    /// The address of the `PyTypeObject`.
    pub address: Address,
    /// `__module__`, empty where there is none.
    pub module: String,
    /// `__qualname__`.
    pub qualname: String,
    /// The qualified name, the module before it unless `builtins`: how reports name the type.
    pub name: String,
    /// `tp_name` as it is: what C code prints.
    pub tp_name: String,
    /// `tp_flags`; in 2.7 those of `long` and `unicode` for `int` and `str` too.
    pub flags: u64,
    /// `tp_basicsize`, in bytes.
    pub basic_size: i64,
    /// `tp_itemsize`, in bytes.
    pub item_size: i64,
    /// `tp_dictoffset`, in bytes; negative counts from the end.
    pub dict_offset: i64,
    /// `tp_dict`; null for builtin types from 3.12, which keep it elsewhere.
    pub dict: Address,
    /// `tp_mro`, the type itself first.
    pub mro: Vec<Address>,
    /// What stands in `tp_mro` of 2.7 and is no type: classes that derive from nothing.
    pub(super) classic_bases: Vec<Address>,
    /// Why the names are missing, which are `?` then: those of static types lie in read-only data.
    pub(crate) nameless: Option<Unreadable>,
    repr_source: OnceCell<MethodSource>,
    str_source: OnceCell<MethodSource>,
}

/// What stands for the names of a type that are missing.
const UNNAMED: &str = "?";

impl TypeInfo {
    /// A builtin type of which no more is known than its name and `flags`.
    pub(super) fn by_name_alone(address: Address, name: String, flags: u64) -> Self {
        TypeInfo {
            address,
            module: "builtins".to_owned(),
            qualname: name.clone(),
            tp_name: name.clone(),
            flags,
            basic_size: 0,
            item_size: 0,
            dict_offset: 0,
            dict: Address::NULL,
            mro: vec![address],
            classic_bases: Vec::new(),
            nameless: None,
            repr_source: OnceCell::from(MethodSource::Native(name.clone())),
            str_source: OnceCell::from(MethodSource::Native(name.clone())),
            name,
        }
    }

    fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Whether it was made at run time: by a `class` statement, or by C code as a heap type.
    pub fn is_heap_type(&self) -> bool {
        self.has(HEAPTYPE)
    }

    /// Whether it derives from `str`; in 2.7 from `str` or `unicode`.
    pub fn is_str(&self) -> bool {
        self.has(UNICODE_SUBCLASS)
    }

    /// Whether it derives from `int`; in 2.7 from `int` or `long`.
    pub fn is_int(&self) -> bool {
        self.has(LONG_SUBCLASS)
    }

    /// Whether it derives from `list`.
    pub fn is_list(&self) -> bool {
        self.has(LIST_SUBCLASS)
    }

    /// Whether it derives from `tuple`.
    pub fn is_tuple(&self) -> bool {
        self.has(TUPLE_SUBCLASS)
    }

    /// Whether it derives from `dict`.
    pub fn is_dict(&self) -> bool {
        self.has(DICT_SUBCLASS)
    }

    /// Whether it derives from `BaseException`.
    pub fn is_exception(&self) -> bool {
        self.has(BASE_EXC_SUBCLASS)
    }

    /// Whether its instances are types.
    pub fn is_type(&self) -> bool {
        self.has(TYPE_SUBCLASS)
    }

    /// Whether the interpreter keeps the instance dictionaries in front of the objects.
    pub fn has_managed_dict(&self) -> bool {
        self.has(MANAGED_DICT)
    }

    /// Whether instances carry the values of their attributes behind them.
    pub fn has_inline_values(&self) -> bool {
        self.has(INLINE_VALUES)
    }

    /// `__name__`: the last part of the qualified name.
    pub fn short_name(&self) -> &str {
        self.qualname.rsplit('.').next().unwrap_or(&self.qualname)
    }
}

impl Inspector<'_> {
    /// What is known of the type object at `address`; read once.
    ///
    /// # Errors
    /// Missing bytes, those of its name included, or no type there.
    pub fn type_info(&self, address: Address) -> Result<Rc<TypeInfo>, Unreadable> {
        let info = self.type_shape(address)?;
        match &info.nameless {
            None => Ok(info),
            Some(why) => Err(why.clone()),
        }
    }

    /// As [`Inspector::type_info`], for who needs no name: a static type may be all there but for that.
    ///
    /// # Errors
    /// Missing bytes, or no type there.
    pub(crate) fn type_shape(&self, address: Address) -> Result<Rc<TypeInfo>, Unreadable> {
        if let Some(known) = self.types.borrow().get(&address) {
            return Ok(Rc::clone(known));
        }
        let read = self.read_type(address);
        let info = Rc::new(read.or_else(|error| self.assumed_type(address).ok_or(error))?);
        // Until the modules are known, so may be the name later.
        if info.nameless.is_none() || !self.sys_modules().is_null() {
            self.types.borrow_mut().insert(address, Rc::clone(&info));
        }
        Ok(info)
    }

    fn read_type(&self, address: Address) -> Result<TypeInfo, Unreadable> {
        let layout = &self.layout.structs.PyTypeObject;
        let nonsense = |what: &str| Unreadable::Nonsense { at: address, what: what.to_owned() };
        let meta = self.non_null(address, self.layout.structs.PyObject.ob_type)?;
        if self.uint(meta, layout.tp_flags)? & TYPE_SUBCLASS == 0 {
            return Err(nonsense("an object whose type is no type"));
        }
        let flags = self.type_flags(address)?;
        let dict = self.pointer(address, layout.tp_dict)?;
        let heap = flags & HEAPTYPE != 0;
        let ((module, qualname, tp_name), nameless) = match self.type_names(address, heap, dict) {
            Err(error @ Unreadable::Fault(_)) if !heap => {
                ((String::new(), UNNAMED.to_owned(), UNNAMED.to_owned()), Some(error))
            }
            names => (names?, None),
        };
        let name = if module.is_empty() || self.layout.is_builtins(&module) {
            qualname.clone()
        } else {
            format!("{module}.{qualname}")
        };
        let (mro, classic_bases) = self.without_classic(self.method_resolution_order(address)?)?;
        Ok(TypeInfo {
            address,
            module,
            qualname,
            name,
            tp_name,
            flags,
            basic_size: self.int(address, layout.tp_basicsize)?,
            item_size: self.int(address, layout.tp_itemsize)?,
            dict_offset: self.int(address, layout.tp_dictoffset)?,
            dict,
            mro,
            classic_bases,
            nameless,
            repr_source: OnceCell::new(),
            str_source: OnceCell::new(),
        })
    }

    /// `tp_flags`, in terms of Python 3.
    fn type_flags(&self, class: Address) -> Result<u64, Unreadable> {
        let flags = self.uint(class, self.layout.structs.PyTypeObject.tp_flags)?;
        if self.layout.str_model() == StrModel::Compact {
            return Ok(flags);
        }
        let also = |old: u64, new: u64| if flags & old == 0 { 0 } else { new };
        Ok(flags | also(INT_SUBCLASS, LONG_SUBCLASS) | also(STRING_SUBCLASS, UNICODE_SUBCLASS))
    }

    /// `tp_mro` of the type at `address`, the type itself first; in 2.7 classic classes may be among them.
    fn method_resolution_order(&self, address: Address) -> Result<Vec<Address>, Unreadable> {
        let layout = &self.layout.structs;
        match self.pointer(address, layout.PyTypeObject.tp_mro)? {
            Address::NULL => Ok(vec![address]),
            mro => {
                let count = self.length(mro)?.min(MAX_MRO);
                let items = self.field_address(mro, layout.PyTupleObject.ob_item)?;
                (0..count).map(|index| self.item(items, index)).collect()
            }
        }
    }

    /// `__module__`, `__qualname__` and `tp_name` as `type_module` and `type_qualname` in Objects/typeobject.c
    /// find them.
    fn type_names(
        &self,
        address: Address,
        heap: bool,
        dict: Address,
    ) -> Result<(String, String, String), Unreadable> {
        let layout = &self.layout.structs;
        let tp_name = self
            .non_null(address, layout.PyTypeObject.tp_name)
            .and_then(|name| Ok(String::from_utf8_lossy(&self.memory.c_string(name, 512)?).into_owned()));
        if heap {
            let type_name = &layout.PyHeapTypeObject;
            let name = if type_name.ht_qualname.exists() { type_name.ht_qualname } else { type_name.ht_name };
            let qualname = self.string(self.non_null(address, name)?)?;
            let module = match self.dict_get(dict, "__module__")? {
                Some(module) => self.string(module).unwrap_or_default(),
                None => String::new(),
            };
            // A `class` statement gives the name alone, which lies in the heap; C code gives both.
            let tp_name = tp_name.unwrap_or_else(|_| match module.as_str() {
                "" | "builtins" => qualname.clone(),
                _ => format!("{module}.{qualname}"),
            });
            return Ok((module, qualname, tp_name));
        }
        let tp_name = match tp_name {
            Ok(name) => name,
            Err(error) => {
                let name = self.static_name(address, &error).or_else(|| self.assumed_name(address));
                name.ok_or(error)?
            }
        };
        let (module, qualname) = match tp_name.rsplit_once('.') {
            Some((module, name)) => (module.to_owned(), name.to_owned()),
            None => (self.layout.builtins().to_owned(), tp_name.clone()),
        };
        Ok((module, qualname, tp_name))
    }

    /// An attribute of a class as the method resolution order finds it. Builtin types, whose dictionaries are
    /// not at hand from 3.12 on, are passed over.
    pub(crate) fn class_attribute(
        &self,
        class: &TypeInfo,
        name: &str,
    ) -> Result<Option<Address>, Unreadable> {
        for &base in &class.mro {
            let base = self.type_shape(base)?;
            if !base.dict.is_null()
                && let Some(found) = self.dict_get(base.dict, name)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whose code `repr()` of an instance would run.
    pub(super) fn repr_source<'t>(&self, class: &'t TypeInfo) -> &'t MethodSource {
        class.repr_source.get_or_init(|| {
            self.method_source(class, "__repr__", self.layout.structs.PyTypeObject.tp_repr)
                .unwrap_or_else(|error| MethodSource::Unknown(error.to_string()))
        })
    }

    /// Whose code `str()` of an instance would run.
    pub(super) fn str_source<'t>(&self, class: &'t TypeInfo) -> &'t MethodSource {
        class.str_source.get_or_init(|| {
            self.method_source(class, "__str__", self.layout.structs.PyTypeObject.tp_str)
                .unwrap_or_else(|error| MethodSource::Unknown(error.to_string()))
        })
    }

    fn method_source(&self, class: &TypeInfo, name: &str, slot: Field) -> Result<MethodSource, Unreadable> {
        let layout = &self.layout.structs;
        if self.classic_bases_define(class, name)? {
            return Ok(MethodSource::Unknown(format!("{name} is that of a class that derives from nothing")));
        }
        for &base in &class.mro {
            let base = self.type_info(base)?;
            if !base.is_heap_type() {
                // A static type has a method of its own where its slot is not the one it inherited.
                let own = self.pointer(base.address, slot)?;
                let parent = self.pointer(base.address, layout.PyTypeObject.tp_base)?;
                if parent.is_null() || self.pointer(parent, slot)? != own {
                    return Ok(MethodSource::Native(base.name.clone()));
                }
                continue;
            }
            let Some(found) = self.dict_get(base.dict, name)? else { continue };
            let kind = self.type_of(found)?;
            return Ok(match kind.name.as_str() {
                "function" => self.python_method(found, &base)?,
                "wrapper_descriptor" | "method_descriptor" => {
                    let owner = self.non_null(found, layout.PyDescrObject.d_type)?;
                    MethodSource::Native(self.type_info(owner)?.name.clone())
                }
                other => MethodSource::Unknown(format!("{name} is an object of type {other}")),
            });
        }
        Ok(MethodSource::Native("object".to_owned()))
    }

    fn python_method(&self, function: Address, owner: &TypeInfo) -> Result<MethodSource, Unreadable> {
        let layout = &self.layout.structs.PyFunctionObject;
        let globals = self.non_null(function, layout.func_globals)?;
        let module = match self.dict_get(globals, "__name__")? {
            Some(name) => self.string(name)?,
            None => String::new(),
        };
        let qualname = if layout.func_qualname.exists() {
            self.string(self.non_null(function, layout.func_qualname)?)?
        } else {
            let name = self.string(self.non_null(function, layout.func_name)?)?;
            format!("{}.{name}", owner.qualname)
        };
        Ok(MethodSource::Python { module, qualname, function })
    }

    /// Whether the object is `None`.
    pub(crate) fn is_none(&self, object: Address) -> Result<bool, Unreadable> {
        let class = self.shape_of(object)?;
        match &class.nameless {
            // Where modules are known, the type of None is: by `builtins.None`.
            Some(why) if self.sys_modules().is_null() => Err(why.clone()),
            _ => Ok(class.name == "NoneType"),
        }
    }

    /// `PyUnicode_Check`: by the flags of the object's type alone, so that reading a type's names, which needs
    /// strings, never leads back to reading a type.
    pub(crate) fn is_str_object(&self, object: Address) -> Result<bool, Unreadable> {
        let class = self.non_null(object, self.layout.structs.PyObject.ob_type)?;
        match self.type_flags(class) {
            Ok(flags) => Ok(flags & UNICODE_SUBCLASS != 0),
            Err(error) => self.assumed_name(class).map(|name| name == "str").ok_or(error),
        }
    }

    /// `PyDict_Check` of a type, by its flags alone.
    pub(super) fn is_dict_type(&self, class: Address) -> Result<bool, Unreadable> {
        Ok(self.uint(class, self.layout.structs.PyTypeObject.tp_flags)? & DICT_SUBCLASS != 0)
    }

    /// Whether the object is a type that was not made at run time, by flags alone.
    pub(super) fn is_static_type(&self, object: Address) -> Result<bool, Unreadable> {
        let flags = self.layout.structs.PyTypeObject.tp_flags;
        let class = self.non_null(object, self.layout.structs.PyObject.ob_type)?;
        Ok(self.uint(class, flags)? & TYPE_SUBCLASS != 0 && self.uint(object, flags)? & HEAPTYPE == 0)
    }

    /// Whether the object is a type, by flags alone.
    pub(super) fn is_type_object(&self, object: Address) -> Result<bool, Unreadable> {
        let class = self.non_null(object, self.layout.structs.PyObject.ob_type)?;
        Ok(self.uint(class, self.layout.structs.PyTypeObject.tp_flags)? & TYPE_SUBCLASS != 0)
    }

    /// Whether the object is a `str` of 2.7, a string of bytes.
    pub(super) fn is_byte_string(&self, object: Address) -> Result<bool, Unreadable> {
        self.has_raw_flag(object, STRING_SUBCLASS)
    }

    /// Whether the object is an `int` of 2.7, which is not a `long`.
    pub(super) fn is_machine_int(&self, object: Address) -> Result<bool, Unreadable> {
        self.has_raw_flag(object, INT_SUBCLASS)
    }

    /// A flag of 2.7, which later versions use for something else.
    fn has_raw_flag(&self, object: Address, flag: u64) -> Result<bool, Unreadable> {
        if self.layout.str_model() == StrModel::Compact {
            return Ok(false);
        }
        let class = self.non_null(object, self.layout.structs.PyObject.ob_type)?;
        Ok(self.uint(class, self.layout.structs.PyTypeObject.tp_flags)? & flag != 0)
    }
}
