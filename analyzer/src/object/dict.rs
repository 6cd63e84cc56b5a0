//! `dict` in all its forms: combined and split tables, general and string-only keys, inline values.

use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::layout::{DictModel, SplitOrder};

/// The most entries of one table that are looked at; a larger one is damaged, or its rest is left out.
const MAX_ENTRIES: u64 = 1 << 24;

/// The key and value pairs of a dict, in order.
pub struct DictEntries {
    /// Addresses of the keys and the values.
    pub pairs: Vec<(Address, Address)>,
    /// How many there are in all.
    pub used: u64,
}

/// The table of a dict (`PyDictKeysObject`), understood.
struct Keys {
    entries: Address,
    count: u64,
    stride: u64,
    key_offset: u64,
    value_offset: u64,
}

impl Inspector<'_> {
    fn keys(&self, keys: Address) -> Result<Keys, Unreadable> {
        let layout = &self.layout.structs;
        let table = &layout.PyDictKeysObject;
        let indices = self.field_address(keys, table.dk_indices)?;
        let nonsense = |what: String| Unreadable::Nonsense { at: keys, what };
        let (index_bytes, unicode) = if table.dk_log2_index_bytes.exists() {
            let log2 = self.uint(keys, table.dk_log2_index_bytes)?;
            if log2 > 40 {
                return Err(nonsense(format!("a dict's index of 2**{log2} bytes")));
            }
            // DICT_KEYS_GENERAL is 0, Include/internal/pycore_dict.h.
            (1u64 << log2, self.uint(keys, table.dk_kind)? != 0)
        } else {
            let size = self.uint(keys, table.dk_size)?;
            let width = match size {
                0..=0xff => 1,
                0x100..=0xffff => 2,
                0x1_0000..=0xffff_ffff => 4,
                _ => 8,
            };
            let bytes = size.checked_mul(width).filter(|&bytes| bytes <= 1 << 40);
            (bytes.ok_or_else(|| nonsense(format!("a dict's table of {size} places")))?, false)
        };
        let (stride, key, value) = if unicode {
            let entry = &layout.PyDictUnicodeEntry;
            (entry.size_of, entry.me_key, entry.me_value)
        } else {
            let entry = &layout.PyDictKeyEntry;
            (entry.size_of, entry.me_key, entry.me_value)
        };
        let count = self.uint(keys, table.dk_nentries)?;
        if count > MAX_ENTRIES {
            return Err(nonsense(format!("a dict's table of {count} entries")));
        }
        self.spend(keys, count)?;
        let offset = |field: crate::layout::Field| {
            field.place.map(|place| u64::from(place.offset)).ok_or(Unreadable::NoField(field.name))
        };
        Ok(Keys {
            entries: indices.add(index_bytes),
            count,
            stride: u64::from(stride),
            key_offset: offset(key)?,
            value_offset: offset(value)?,
        })
    }

    /// The entries of a dict, at most `limit`.
    ///
    /// # Errors
    /// Missing bytes, or a table that makes no sense.
    pub fn dict_entries(&self, dict: Address, limit: usize) -> Result<DictEntries, Unreadable> {
        let layout = &self.layout.structs.PyDictObject;
        let used = self.uint(dict, layout.ma_used)?;
        if self.layout.dict_model() == DictModel::Table {
            let pairs = self.table_entries(dict, limit)?;
            return Ok(DictEntries { used: used.max(pairs.len() as u64), pairs });
        }
        let keys = self.non_null(dict, layout.ma_keys)?;
        let values = self.pointer(dict, layout.ma_values)?;
        let pairs = if values.is_null() {
            self.combined_entries(keys, limit)?
        } else {
            self.split_entries(keys, values, limit)?
        };
        Ok(DictEntries { used: used.max(pairs.len() as u64), pairs })
    }

    /// The entries of a hash table that holds them itself, in the order of their places.
    fn table_entries(&self, dict: Address, limit: usize) -> Result<Vec<(Address, Address)>, Unreadable> {
        let layout = &self.layout.structs;
        let places = self.uint(dict, layout.PyDictObject.ma_mask)?.saturating_add(1);
        if places > MAX_ENTRIES {
            return Err(Unreadable::Nonsense {
                at: dict,
                what: format!("a dict's table of {places} places"),
            });
        }
        self.spend(dict, places)?;
        let table = self.non_null(dict, layout.PyDictObject.ma_table)?;
        let mut pairs = Vec::new();
        for index in 0..places {
            if pairs.len() >= limit {
                break;
            }
            let entry = table.element(index, u64::from(layout.PyDictEntry.size_of));
            let value = self.pointer(entry, layout.PyDictEntry.me_value)?;
            if !value.is_null() {
                pairs.push((self.pointer(entry, layout.PyDictEntry.me_key)?, value));
            }
        }
        Ok(pairs)
    }

    fn combined_entries(&self, keys: Address, limit: usize) -> Result<Vec<(Address, Address)>, Unreadable> {
        let keys = self.keys(keys)?;
        let mut pairs = Vec::new();
        for index in 0..keys.count {
            if pairs.len() >= limit {
                break;
            }
            let entry = keys.entries.element(index, keys.stride);
            let value = self.memory.pointer(entry.add(keys.value_offset))?;
            if !value.is_null() {
                pairs.push((self.memory.pointer(entry.add(keys.key_offset))?, value));
            }
        }
        Ok(pairs)
    }

    /// The pairs of a split table: keys shared by the instances of a class, values of one instance.
    /// `values` is the address of the `PyDictValues`, or up to 3.10 of the array itself.
    pub(super) fn split_entries(
        &self,
        keys: Address,
        values: Address,
        limit: usize,
    ) -> Result<Vec<(Address, Address)>, Unreadable> {
        let keys = self.keys(keys)?;
        let layout = &self.layout.structs.PyDictValues;
        let array = if layout.values.exists() { self.field_address(values, layout.values)? } else { values };
        let order = match self.layout.split_order() {
            SplitOrder::Keys => None,
            SplitOrder::BeforeValues => {
                let count = u64::from(self.memory.u8(values.sub(2))?);
                let mut order = self.memory.bytes(values.sub(2 + count), count as usize)?;
                order.reverse();
                Some(order)
            }
            SplitOrder::BehindValues => {
                let capacity = self.uint(values, layout.capacity)?;
                let count = self.uint(values, layout.size)?;
                Some(self.memory.bytes(array.element(capacity, 8), count as usize)?)
            }
        };
        let order: Box<dyn Iterator<Item = u64>> = match order {
            Some(order) => Box::new(order.into_iter().map(u64::from)),
            None => Box::new(0..keys.count),
        };
        let mut pairs = Vec::new();
        for index in order.filter(|&index| index < keys.count) {
            if pairs.len() >= limit {
                break;
            }
            let value = self.item(array, index)?;
            if !value.is_null() {
                let entry = keys.entries.element(index, keys.stride);
                pairs.push((self.memory.pointer(entry.add(keys.key_offset))?, value));
            }
        }
        Ok(pairs)
    }

    /// The value under a string key of ASCII characters.
    ///
    /// # Errors
    /// Missing bytes, or a table that makes no sense.
    pub fn dict_get(&self, dict: Address, key: &str) -> Result<Option<Address>, Unreadable> {
        for (candidate, value) in self.dict_entries(dict, usize::MAX)?.pairs {
            if self.is_str_object(candidate)? && self.is_ascii_string(candidate, key)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}
