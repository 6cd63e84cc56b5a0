//! Attributes and items as `getattr` and subscripts find them, as far as that needs no code to run.

use super::text::{repr_byte_string, repr_text, repr_unicode};
use super::{Inspector, Limits, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::StrModel;
use crate::report::{ChildKind, Value};
use num_bigint::BigInt;

/// How much of an object is decoded in search of a part that only its decoder knows.
const PARTS: Limits = Limits { depth: 1, max_items: 10_000, max_string: 200 };
/// The most items of a list or a tuple that are looked at.
const MAX_ITEMS: usize = 1 << 24;
/// The most names that are proposed at once.
const MAX_NAMES: usize = 10_000;

/// A key of a subscript, which is a literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Key {
    /// `None`
    None,
    /// An int; `True` and `False` are 1 and 0, as they are for Python.
    Int(BigInt),
    /// A float.
    Float(f64),
    /// A str.
    Str(String),
    /// A bytes.
    Bytes(Vec<u8>),
    /// A tuple of these.
    Tuple(Vec<Key>),
}

impl Key {
    /// The int of these digits.
    pub(crate) fn int(digits: &str, radix: u32, negative: bool) -> Option<Key> {
        let int = BigInt::parse_bytes(digits.as_bytes(), radix)?;
        Some(Key::Int(if negative { -int } else { int }))
    }
}

/// What an attribute or an item is.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// An object, and what is to be said of how it was found.
    Object(Address, Option<String>),
    /// A value that is no object in memory, such as a character of a string.
    Value(Box<Value>),
}

/// Why there is no attribute or item.
#[derive(Clone, Debug)]
pub(crate) enum NoPart {
    /// Something could not be read.
    Unreadable(Unreadable),
    /// There is none; why, in words.
    None(String),
}

impl From<Unreadable> for NoPart {
    fn from(error: Unreadable) -> Self {
        NoPart::Unreadable(error)
    }
}

/// How an attribute of a class takes part when an instance is asked for it.
enum Descriptor {
    /// It wins over what the instance has, and is code.
    Computed(String),
    /// It says where the instance has it.
    Member,
    /// The instance's own attribute wins; else it is this object.
    Plain(Address, Option<String>),
    /// The instance's own attribute wins; else code would have to run.
    Call(String),
}

impl Inspector<'_> {
    /// What `object.name` is.
    pub(crate) fn part_by_name(&self, object: Address, name: &str) -> Result<Part, NoPart> {
        let class = self.type_of(object)?;
        if let Some(classic) = self.classic_part(object, &class, name)? {
            return classic.map_or_else(
                || Err(self.no_attribute(object, &class, name)),
                |found| Ok(Part::Object(found, None)),
            );
        }
        if name == "__class__" {
            return Ok(Part::Object(class.address, None));
        }
        if name == "__dict__" && !class.is_type() {
            let why = "has no dict that is an object: name its attributes themselves";
            return match self.dict_of(object, &class)? {
                Some(dict) => Ok(Part::Object(dict, None)),
                None => Err(NoPart::None(format!("a {} object {why}", class.name))),
            };
        }
        if let Some(found) = self.member(object, &class, name)? {
            return Ok(found);
        }
        if class.is_type()
            && let Some(found) = self.attribute_of_type(object, name)?
        {
            return Ok(found);
        }
        let of_class = self
            .class_part(&class, name)
            .and_then(|found| found.map(|found| self.descriptor(found, &class, name)).transpose());
        if let Ok(Some(Descriptor::Computed(why))) = of_class {
            // What C code computes, decoders may know.
            return self.decoded_part(object, ChildKind::Attribute, name).ok_or_else(|| {
                let own = self.attributes(object, &class, MAX_NAMES).unwrap_or_default().0;
                let own: Vec<String> = own.into_iter().map(|(name, _)| name).collect();
                NoPart::None(why + &near_names(name, &own))
            });
        }
        let (own, _) = self.attributes(object, &class, usize::MAX)?;
        if let Some((_, value)) = own.into_iter().find(|(own, _)| own == name) {
            let remark = of_class.err().map(|error| {
                format!("the object's own attribute, which a property of its class would hide; that could not be read: {error}")
            });
            return Ok(Part::Object(value, remark));
        }
        let of_class = of_class?;
        let is_member = matches!(of_class, Some(Descriptor::Member));
        match of_class {
            Some(Descriptor::Plain(found, remark)) => return Ok(Part::Object(found, remark)),
            Some(Descriptor::Call(why)) => return Err(NoPart::None(why)),
            Some(Descriptor::Member | Descriptor::Computed(_)) | None => {}
        }
        if let Some(index) = self.field_of_named_tuple(&class, name)? {
            return self.part_by_index(object, &class, index as i128);
        }
        if let Some(part) = self.decoded_part(object, ChildKind::Attribute, name) {
            return Ok(part);
        }
        if is_member {
            return Err(NoPart::None(format!("the slot {name} of a {} object has no value", class.name)));
        }
        Err(self.no_attribute(object, &class, name))
    }

    /// The attribute of an instance or a class of 2.7 that derives from nothing; the outer `None` for all else.
    fn classic_part(
        &self,
        object: Address,
        class: &TypeInfo,
        name: &str,
    ) -> Result<Option<Option<Address>>, Unreadable> {
        if self.is_classic_instance(class) {
            return self.classic_attribute(object, name).map(Some);
        }
        let is_class = self.layout.structs.PyClassObject.cl_name.exists() && class.name == "classobj";
        is_class.then(|| self.classic_lookup(object, name)).transpose()
    }

    fn no_attribute(&self, object: Address, class: &TypeInfo, name: &str) -> NoPart {
        let near = near_names(name, &self.names_of_parts(object).unwrap_or_default());
        let code = if self.class_part(class, "__getattr__").is_ok_and(|found| found.is_some()) {
            "; its class has a __getattr__, which is code and was not run"
        } else {
            ""
        };
        NoPart::None(format!("a {} object has no attribute {name}{near}{code}", class.name))
    }

    /// The names of a module.
    ///
    /// # Errors
    /// Missing bytes, or no dict there.
    pub(crate) fn module_dict(&self, module: Address) -> Result<Address, Unreadable> {
        self.non_null(module, self.layout.structs.PyModuleObject.md_dict)
    }

    /// The dict of an instance, where there is one that is an object.
    fn dict_of(&self, object: Address, class: &TypeInfo) -> Result<Option<Address>, Unreadable> {
        if class.name == "module" {
            return Ok(Some(self.module_dict(object)?));
        }
        self.instance_dict_object(object, class)
    }

    /// As [`class_attribute`](Self::class_attribute); not asked is `object`, which has nothing but what Python itself names.
    fn class_part(&self, class: &TypeInfo, name: &str) -> Result<Option<Address>, Unreadable> {
        let is_pythons = name.starts_with("__") && name.ends_with("__") && name != "__getattr__";
        for &base in &class.mro {
            let base = self.type_shape(base)?;
            if (base.name != "object" || is_pythons)
                && !base.dict.is_null()
                && let Some(found) = self.dict_get(base.dict, name)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What a class has under a name, itself or by its bases. Members of enumerations are what the class has them for.
    fn attribute_of_type(&self, object: Address, name: &str) -> Result<Option<Part>, NoPart> {
        let class = self.type_shape(object)?;
        if let Ok(Some(members)) = self.class_part(&class, "_member_map_")
            && self.shape_of(members)?.is_dict()
            && let Some(member) = self.dict_get(members, name)?
        {
            return Ok(Some(Part::Object(member, None)));
        }
        let Some(found) = self.class_part(&class, name)? else { return Ok(None) };
        let kind = self.type_of(found)?;
        let layout = &self.layout.structs;
        let wrapped = match kind.name.as_str() {
            "classmethod" => layout.ClassMethod.cm_callable,
            "staticmethod" => layout.StaticMethod.sm_callable,
            _ => return Ok(Some(Part::Object(found, None))),
        };
        let remark = format!("a {}: this is the function in it", kind.name);
        Ok(Some(Part::Object(self.non_null(found, wrapped)?, Some(remark))))
    }

    /// How `found`, which `class` has under `name`, takes part.
    fn descriptor(&self, found: Address, class: &TypeInfo, name: &str) -> Result<Descriptor, Unreadable> {
        let kind = self.type_of(found)?;
        let layout = &self.layout.structs;
        let is_code = |what: &str| {
            format!(
                "{name} of a {} object is {what}: its code would have to run, which pycore does not do",
                class.name
            )
        };
        Ok(match kind.name.as_str() {
            "member_descriptor" => Descriptor::Member,
            "getset_descriptor" => Descriptor::Computed(is_code("computed in C")),
            "property" => Descriptor::Computed(is_code("a property")),
            "function"
            | "method_descriptor"
            | "wrapper_descriptor"
            | "classmethod_descriptor"
            | "instancemethod" => {
                let remark = "a function of the class, which is bound to the object when it is asked for";
                Descriptor::Plain(found, Some(remark.to_owned()))
            }
            "classmethod" => {
                let function = self.non_null(found, layout.ClassMethod.cm_callable)?;
                Descriptor::Plain(function, Some("a classmethod: this is the function in it".to_owned()))
            }
            "staticmethod" => {
                let function = self.non_null(found, layout.StaticMethod.sm_callable)?;
                Descriptor::Plain(function, Some("a staticmethod: this is the function in it".to_owned()))
            }
            "collections._tuplegetter" | "_collections._tuplegetter" => Descriptor::Member,
            other => {
                let has = |method| Ok::<_, Unreadable>(self.class_part(&kind, method)?.is_some());
                let what = format!("a descriptor ({other})");
                if !has("__get__")? {
                    Descriptor::Plain(found, Some("an attribute of the class".to_owned()))
                } else if has("__set__")? || has("__delete__")? {
                    Descriptor::Computed(is_code(&what))
                } else {
                    Descriptor::Call(is_code(&what))
                }
            }
        })
    }

    /// The place of a field of an instance of a class made by `collections.namedtuple`.
    fn field_of_named_tuple(&self, class: &TypeInfo, name: &str) -> Result<Option<usize>, Unreadable> {
        if !class.is_tuple() {
            return Ok(None);
        }
        let Some(fields) = self.class_part(class, "_fields")? else { return Ok(None) };
        if !self.shape_of(fields)?.is_tuple() {
            return Ok(None);
        }
        let (fields, _) = self.tuple_items(fields, MAX_NAMES)?;
        for (index, field) in fields.into_iter().enumerate() {
            if self.is_str_object(field)? && self.string(field)? == name {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// A part that the decoder of the object's type lists.
    fn decoded_part(&self, object: Address, kind: ChildKind, name: &str) -> Option<Part> {
        let value = self.value(object, PARTS);
        let child = value.children.into_iter().find(|child| child.kind == kind && child.name == name)?;
        Some(match child.value.address {
            Some(address) => Part::Object(address, None),
            None => Part::Value(Box::new(child.value)),
        })
    }

    /// What `object[key]` is.
    pub(crate) fn part_by_key(&self, object: Address, key: &Key) -> Result<Part, NoPart> {
        let class = self.type_of(object)?;
        if class.is_dict() || class.name == "frozendict" || class.name == "mappingproxy" {
            return self.part_of_dict(object, &class, key);
        }
        let index = match key {
            Key::Int(index) => i128::try_from(index).ok(),
            _ => None,
        };
        match index {
            Some(index) => self.part_by_index(object, &class, index),
            None => Err(NoPart::None(format!("a {} object takes no such key", class.name))),
        }
    }

    fn part_of_dict(&self, object: Address, class: &TypeInfo, key: &Key) -> Result<Part, NoPart> {
        let dict = if class.name == "mappingproxy" {
            self.non_null(object, self.layout.structs.MappingProxyObject.mapping)?
        } else {
            object
        };
        if !self.shape_of(dict)?.is_dict() && class.name != "frozendict" {
            return Err(NoPart::None("it is a view of an object that is no dict".to_owned()));
        }
        let pairs = self.dict_entries(dict, usize::MAX)?.pairs;
        for &(candidate, value) in &pairs {
            if self.is_key(candidate, key)? {
                return Ok(Part::Object(value, None));
            }
        }
        let near = match key {
            Key::Str(key) => near_names(key, &self.string_keys(&pairs)),
            _ => String::new(),
        };
        Err(NoPart::None(format!("a {} of {} items has no such key{near}", class.name, pairs.len())))
    }

    fn string_keys(&self, pairs: &[(Address, Address)]) -> Vec<String> {
        let keys = pairs.iter().take(MAX_NAMES).map(|(key, _)| *key);
        keys.filter(|&key| self.is_str_object(key) == Ok(true))
            .filter_map(|key| self.string(key).ok())
            .collect()
    }

    /// Whether an object equals a literal, by what Python's own types do.
    fn is_key(&self, object: Address, key: &Key) -> Result<bool, Unreadable> {
        let class = self.shape_of(object)?;
        let float = |object| self.float_field(object, self.layout.structs.PyFloatObject.ob_fval);
        Ok(match key {
            Key::None => self.is_none(object)?,
            Key::Str(key) => {
                class.is_str() && {
                    let text = self.text(object, key.len() + 1)?;
                    text.code_points.iter().copied().eq(key.chars().map(u32::from))
                }
            }
            Key::Bytes(key) => {
                (class.name == "bytes" || self.is_byte_string(object)?)
                    && self.bytes_content(object, key.len() + 1)?.0 == *key
            }
            Key::Int(key) if class.is_int() => self.big_int(object)? == *key,
            Key::Int(key) if class.name == "float" => {
                i64::try_from(key).is_ok_and(|key| float(object) == Ok(key as f64))
            }
            Key::Float(key) if class.name == "float" => float(object)? == *key,
            Key::Float(key) if class.is_int() => {
                key.fract() == 0.0 && key.abs() < 9e15 && self.big_int(object)? == BigInt::from(*key as i64)
            }
            Key::Int(_) | Key::Float(_) => false,
            Key::Tuple(keys) => {
                if !class.is_tuple() {
                    return Ok(false);
                }
                let (items, count) = self.tuple_items(object, keys.len())?;
                if count != keys.len() as u64 {
                    return Ok(false);
                }
                for (item, key) in items.into_iter().zip(keys) {
                    if !self.is_key(item, key)? {
                        return Ok(false);
                    }
                }
                true
            }
        })
    }

    /// The item at `index` of a sequence; negative ones count from its end.
    fn part_by_index(&self, object: Address, class: &TypeInfo, index: i128) -> Result<Part, NoPart> {
        let place = |length: u64| {
            let length = i128::from(length);
            let place = if index < 0 { index + length } else { index };
            usize::try_from(place).ok().filter(|_| place < length).ok_or_else(|| {
                NoPart::None(format!("a {} of length {length} has no item {index}", class.name))
            })
        };
        let items = if class.is_list() {
            self.list_items(object, MAX_ITEMS)?
        } else if class.is_tuple() {
            self.tuple_items(object, MAX_ITEMS)?
        } else if class.name == "collections.deque" {
            self.deque_items(object, MAX_ITEMS)?
        } else if class.name == "bytes" {
            return self.byte(object, place);
        } else if class.is_str() {
            return self.character(object, place);
        } else {
            let place = usize::try_from(index).ok();
            let found =
                place.and_then(|place| self.decoded_part(object, ChildKind::Item, &place.to_string()));
            let message = format!("items of a {} object cannot be looked up", class.name);
            return found.ok_or(NoPart::None(message));
        };
        let place = place(items.1)?;
        let beyond = || NoPart::None(format!("only the first {} items are looked at", items.0.len()));
        items.0.get(place).map(|&item| Part::Object(item, None)).ok_or_else(beyond)
    }

    fn byte(&self, object: Address, place: impl Fn(u64) -> Result<usize, NoPart>) -> Result<Part, NoPart> {
        let place = place(self.length(object)?)?;
        let data = self.field_address(object, self.layout.structs.PyBytesObject.ob_sval)?;
        let byte = self.memory.u8(data.add(place as u64)).map_err(Unreadable::from)?;
        Ok(made("int", byte.to_string()))
    }

    fn character(
        &self,
        object: Address,
        place: impl Fn(u64) -> Result<usize, NoPart>,
    ) -> Result<Part, NoPart> {
        if self.is_byte_string(object)? {
            let (bytes, _) = self.bytes_content(object, MAX_ITEMS)?;
            let place = place(bytes.len() as u64)?;
            let byte = bytes.get(place..=place).unwrap_or_default();
            return Ok(made("str", repr_byte_string(byte)));
        }
        let text = self.text(object, MAX_ITEMS)?.code_points;
        let place = place(text.len() as u64)?;
        let character = text.get(place..=place).unwrap_or_default();
        Ok(match self.layout.str_model() {
            StrModel::BytesAndUnicode => made("unicode", repr_unicode(character)),
            StrModel::Compact => made("str", repr_text(character, self.printable())),
        })
    }

    /// The names of the attributes that [`part_by_name`](Self::part_by_name) may find, sorted.
    pub(crate) fn names_of_parts(&self, object: Address) -> Result<Vec<String>, Unreadable> {
        let class = self.type_of(object)?;
        let mut names = Vec::new();
        if self.is_classic_instance(&class) {
            names.extend(self.classic_attributes(object)?.into_iter().map(|(name, _)| name));
        }
        let mut add_class = |class: &TypeInfo| -> Result<(), Unreadable> {
            for &base in &class.mro {
                let base = self.type_shape(base)?;
                if !base.dict.is_null() && names.len() < MAX_NAMES {
                    names.extend(self.string_keys(&self.dict_entries(base.dict, MAX_NAMES)?.pairs));
                }
            }
            Ok(())
        };
        if class.is_type() {
            add_class(self.type_shape(object)?.as_ref())?;
        } else {
            add_class(&class)?;
            let (own, _) = self.attributes(object, &class, MAX_NAMES)?;
            names.extend(own.into_iter().map(|(name, _)| name));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// The keys of a dict that are strings.
    pub(crate) fn names_of_keys(&self, object: Address) -> Result<Vec<String>, Unreadable> {
        if !self.type_of(object)?.is_dict() {
            return Ok(Vec::new());
        }
        Ok(self.string_keys(&self.dict_entries(object, MAX_NAMES)?.pairs))
    }
}

/// A value that is no object.
fn made(type_name: &str, repr: String) -> Part {
    Part::Value(Box::new(Value::made(type_name, repr)))
}

/// `; near it: host, hosts`: those of `names` that `wanted` may have been meant for.
pub(crate) fn near_names(wanted: &str, names: &[String]) -> String {
    const SHOWN: usize = 5;
    const FAR: f64 = 0.75;
    let mut near: Vec<(f64, &String)> = names
        .iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(near, _)| *near > FAR)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.dedup_by_key(|(_, name)| *name);
    let near: Vec<&str> = near.into_iter().take(SHOWN).map(|(_, name)| name.as_str()).collect();
    if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) }
}
