//! The attributes of an instance: its `__dict__`, wherever the interpreter keeps it, and its `__slots__`.

use super::types::TypeInfo;
use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::layout::InstanceDictModel;

/// The size of a pointer of the target, in bytes.
const WORD: u64 = 8;
/// `T_OBJECT` and `T_OBJECT_EX` (Include/structmember.h; `_Py_T_OBJECT` and `Py_T_OBJECT_EX` later): a member that
/// is an object.
pub(super) const OBJECT_MEMBERS: [i64; 2] = [6, 16];
/// The most members of one type that are looked at.
const MAX_MEMBERS: u64 = 4096;

/// Where the instance dictionary of an object is.
enum InstanceDict {
    None,
    Dict(Address),
    /// No dict object was ever made: keys of the class, values of the instance.
    Values {
        keys: Address,
        values: Address,
    },
}

impl Inspector<'_> {
    fn instance_dict(&self, object: Address, class: &TypeInfo) -> Result<InstanceDict, Unreadable> {
        if !class.has_managed_dict() {
            return self.dict_at_offset(object, class);
        }
        let values = |values: Address| -> Result<InstanceDict, Unreadable> {
            let keys = self.layout.structs.PyHeapTypeObject.ht_cached_keys;
            Ok(InstanceDict::Values { keys: self.non_null(class.address, keys)?, values })
        };
        // Include/internal/pycore_object.h: `_PyObject_ManagedDictPointer` and its relatives.
        let slot = object.sub(self.layout.managed_dict_words() * WORD);
        match self.layout.instance_dict_model() {
            InstanceDictModel::DictOffset => self.dict_at_offset(object, class),
            InstanceDictModel::ValuesAndDict => {
                let found = self.memory.pointer(object.sub(4 * WORD))?;
                if !found.is_null() {
                    return values(found);
                }
                self.dict_pointer(slot)
            }
            InstanceDictModel::DictOrValues => {
                let found = self.memory.pointer(slot)?;
                if found.0 & 1 == 1 { values(found.add(1)) } else { Ok(Self::dict_or_none(found)) }
            }
            InstanceDictModel::Inline => {
                let found = self.memory.pointer(slot)?;
                if !found.is_null() || !class.has_inline_values() {
                    return Ok(Self::dict_or_none(found));
                }
                let inline = object.add(class.basic_size as u64);
                if self.uint(inline, self.layout.structs.PyDictValues.valid)? == 0 {
                    return Ok(InstanceDict::None);
                }
                values(inline)
            }
        }
    }

    /// `_PyObject_GetDictPtr` for types that say where their dict is.
    fn dict_at_offset(&self, object: Address, class: &TypeInfo) -> Result<InstanceDict, Unreadable> {
        let offset = match class.dict_offset {
            0 => return Ok(InstanceDict::None),
            offset @ 1.. => offset as u64,
            offset => {
                let items = if class.is_int() {
                    self.int_digits(object)?.1
                } else {
                    self.ob_size(object)?.unsigned_abs()
                };
                let size = (class.basic_size as u64).wrapping_add(items.wrapping_mul(class.item_size as u64));
                let aligned = size.wrapping_add(WORD - 1) & !(WORD - 1);
                aligned.wrapping_add_signed(offset)
            }
        };
        self.dict_pointer(object.add(offset))
    }

    /// The instance dict, where it is an object.
    pub(super) fn instance_dict_object(
        &self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Option<Address>, Unreadable> {
        Ok(match self.instance_dict(object, class)? {
            InstanceDict::Dict(dict) => Some(dict),
            InstanceDict::None | InstanceDict::Values { .. } => None,
        })
    }

    fn dict_pointer(&self, at: Address) -> Result<InstanceDict, Unreadable> {
        Ok(Self::dict_or_none(self.memory.pointer(at)?))
    }

    fn dict_or_none(dict: Address) -> InstanceDict {
        if dict.is_null() { InstanceDict::None } else { InstanceDict::Dict(dict) }
    }

    /// The instance's own attributes by name, in the order in which `vars()` and then its slots give them;
    /// at most `limit`, and whether there are more.
    ///
    /// # Errors
    /// Missing bytes, or a dictionary that makes no sense.
    pub(crate) fn attributes(
        &self,
        object: Address,
        class: &TypeInfo,
        limit: usize,
    ) -> Result<(Vec<(String, Address)>, bool), Unreadable> {
        let pairs = match self.instance_dict(object, class)? {
            InstanceDict::None => Vec::new(),
            InstanceDict::Dict(dict) => self.dict_entries(dict, limit.saturating_add(1))?.pairs,
            InstanceDict::Values { keys, values } => {
                self.split_entries(keys, values, limit.saturating_add(1))?
            }
        };
        let mut named = Vec::new();
        for (key, value) in pairs {
            // Attributes are named by strings; other keys of an instance's dict are out of their reach.
            if self.is_str_object(key)? {
                named.push((self.string(key)?, value));
            }
        }
        self.slots(object, class, &mut named)?;
        let more = named.len() > limit;
        named.truncate(limit);
        Ok((named, more))
    }

    /// The members of a type and its bases that hold objects: what `__slots__` made, and what C types name.
    fn slots(
        &self,
        object: Address,
        class: &TypeInfo,
        out: &mut Vec<(String, Address)>,
    ) -> Result<(), Unreadable> {
        let layout = &self.layout.structs;
        for &base in class.mro.iter().rev() {
            let base = self.type_shape(base)?;
            if !base.is_heap_type() {
                continue;
            }
            let members = self.pointer(base.address, layout.PyTypeObject.tp_members)?;
            let count = self.length(base.address)?.min(MAX_MEMBERS);
            if members.is_null() {
                continue;
            }
            for index in 0..count {
                let member = members.element(index, u64::from(layout.PyMemberDef.size_of));
                let name = self.pointer(member, layout.PyMemberDef.name)?;
                if name.is_null() {
                    break;
                }
                if !OBJECT_MEMBERS.contains(&self.int(member, layout.PyMemberDef.type_code)?) {
                    continue;
                }
                let offset = self.uint(member, layout.PyMemberDef.offset)?;
                let value = self.memory.pointer(object.add(offset))?;
                if !value.is_null() {
                    let name = String::from_utf8_lossy(&self.memory.c_string(name, 512)?).into_owned();
                    out.push((name, value));
                }
            }
        }
        Ok(())
    }

    /// One attribute of the instance itself.
    ///
    /// # Errors
    /// As [`Inspector::attributes`].
    pub(crate) fn attribute(&self, object: Address, name: &str) -> Result<Option<Address>, Unreadable> {
        let class = self.shape_of(object)?;
        let (attributes, _) = self.attributes(object, &class, usize::MAX)?;
        Ok(attributes.into_iter().find(|(found, _)| found == name).map(|(_, value)| value))
    }
}
