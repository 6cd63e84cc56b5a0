//! Sequences, sets, mappings, and what views them.

use super::values::{CUT, Decoded, Walk, attribute, item};
use super::{DictEntries, Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::StrModel;
use crate::report::Value;
use num_bigint::BigInt;
use std::collections::{HashMap, HashSet};

/// The most places of one set's table, and nodes of one list, that are looked at.
const MAX_PLACES: u64 = 1 << 24;

impl Inspector<'_> {
    /// The items of a `list` or an instance of a subclass; at most `limit`, and how many there are.
    pub(crate) fn list_items(
        &self,
        object: Address,
        limit: usize,
    ) -> Result<(Vec<Address>, u64), Unreadable> {
        let items = self.pointer(object, self.layout.structs.PyListObject.ob_item)?;
        self.pointers(object, items, limit)
    }

    /// The items of a `tuple` or an instance of a subclass; at most `limit`, and how many there are.
    pub(crate) fn tuple_items(
        &self,
        object: Address,
        limit: usize,
    ) -> Result<(Vec<Address>, u64), Unreadable> {
        let items = self.field_address(object, self.layout.structs.PyTupleObject.ob_item)?;
        self.pointers(object, items, limit)
    }

    fn pointers(
        &self,
        object: Address,
        array: Address,
        limit: usize,
    ) -> Result<(Vec<Address>, u64), Unreadable> {
        let count = self.length(object)?;
        self.spend(object, count.min(limit as u64))?;
        let bytes = self.memory.bytes(array, count.min(limit as u64).saturating_mul(8) as usize)?;
        Ok((bytes.as_chunks::<8>().0.iter().map(|&word| Address(u64::from_le_bytes(word))).collect(), count))
    }

    /// The items of a `set` or `frozenset` in the order of the table, as `repr` gives them.
    pub(crate) fn set_items(&self, object: Address, limit: usize) -> Result<(Vec<Address>, u64), Unreadable> {
        let layout = &self.layout.structs;
        let used = self.uint(object, layout.PySetObject.used)?;
        let places = self.uint(object, layout.PySetObject.mask)?.saturating_add(1);
        if places > MAX_PLACES || used > places {
            return Err(Unreadable::Nonsense {
                at: object,
                what: format!("a set of {used} items in {places} places"),
            });
        }
        self.spend(object, places)?;
        let table = self.non_null(object, layout.PySetObject.table)?;
        let mut items = Vec::new();
        let mut met = 0;
        for index in 0..places {
            if met == used || items.len() >= limit {
                break;
            }
            let entry = table.element(index, u64::from(layout.SetEntry.size_of));
            let key = self.pointer(entry, layout.SetEntry.key)?;
            if !key.is_null() && !self.is_removed(key, self.int(entry, layout.SetEntry.hash)?)? {
                met += 1;
                items.push(key);
            }
        }
        Ok((items, used))
    }

    /// Whether an entry of a set is of an item that was removed: it holds a dummy and the hash -1; in 2.7 the dummy is
    /// a `str`, and the hash stays that of the item (Objects/setobject.c).
    fn is_removed(&self, key: Address, hash: i64) -> Result<bool, Unreadable> {
        if self.layout.str_model() == StrModel::Compact {
            return Ok(hash == -1);
        }
        Ok(self.is_byte_string(key)?
            && self.is_ascii_string(key, "<dummy key>")?
            && self.int(key, self.layout.structs.PyStringObject.ob_shash)? != hash)
    }

    /// The items of a `collections.deque`, left to right.
    pub(crate) fn deque_items(
        &self,
        object: Address,
        limit: usize,
    ) -> Result<(Vec<Address>, u64), Unreadable> {
        let layout = &self.layout.structs;
        let own_length = layout.DequeObject.len;
        let count = if own_length.exists() { self.uint(object, own_length)? } else { self.length(object)? };
        let width = layout.DequeBlock.data.place.map_or(0, |place| u64::from(place.size) / 8);
        let mut block = self.pointer(object, layout.DequeObject.leftblock)?;
        let mut index = self.uint(object, layout.DequeObject.leftindex)?;
        let mut items = Vec::new();
        while (items.len() as u64) < count && items.len() < limit {
            if index >= width {
                block = self.non_null(block, layout.DequeBlock.rightlink)?;
                index = 0;
            }
            items.push(self.item(self.field_address(block, layout.DequeBlock.data)?, index)?);
            index += 1;
        }
        Ok((items, count))
    }
}

/// How the pairs of a mapping are written.
#[derive(Clone, Copy)]
enum Pairs {
    /// `{key: value}`
    Dict,
    /// `[(key, value)]`
    Tuples,
}

impl Walk<'_, '_> {
    /// `open item, item close`, with the items as children.
    pub(super) fn sequence(
        &mut self,
        object: Address,
        items: &[Address],
        count: u64,
        (open, close): (&str, &str),
    ) -> Decoded {
        let mut out = Decoded::default();
        out.repr.push_str(open);
        if self.at_limit() && count > 0 {
            out.repr.push_str(CUT);
            out.truncated = true;
        } else {
            for (index, &part) in items.iter().enumerate() {
                if index > 0 {
                    out.repr.push_str(", ");
                }
                let value = self.part(object, part);
                out.repr.push_str(&value.repr);
                out.absorb(&value);
                self.list_child(&mut out, item(index.to_string(), value));
            }
            if count > items.len() as u64 {
                out.repr.push_str(if items.is_empty() { CUT } else { ", …" });
                out.truncated = true;
            }
        }
        out.repr.push_str(close);
        out
    }

    /// The pairs, with the values as children named by their keys' reprs.
    fn mapping(
        &mut self,
        object: Address,
        pairs: &[(Address, Address)],
        count: u64,
        style: Pairs,
    ) -> Decoded {
        let mut out = Decoded::default();
        let mut shown = Vec::new();
        if self.at_limit() && count > 0 {
            shown.push(CUT.to_owned());
            out.truncated = true;
        } else {
            for &(key, value) in pairs {
                let key = self.part(object, key);
                let value = self.part(object, value);
                shown.push(match style {
                    Pairs::Dict => format!("{}: {}", key.repr, value.repr),
                    Pairs::Tuples => format!("({}, {})", key.repr, value.repr),
                });
                out.absorb(&key);
                out.absorb(&value);
                self.list_child(&mut out, item(key.repr, value));
            }
            if count > pairs.len() as u64 {
                shown.push(CUT.to_owned());
                out.truncated = true;
            }
        }
        let shown = shown.join(", ");
        out.repr = match style {
            Pairs::Dict => format!("{{{shown}}}"),
            Pairs::Tuples => format!("[{shown}]"),
        };
        out
    }

    /// The pairs of a mapping whose order its keys have of their own, as tuples: `[(key, value)]`.
    pub(super) fn pairs_in_order(
        &mut self,
        object: Address,
        keys: &[Address],
        entries: &DictEntries,
    ) -> Decoded {
        let values: HashMap<Address, Address> = entries.pairs.iter().copied().collect();
        let pairs: Vec<_> = keys.iter().filter_map(|&key| Some((key, *values.get(&key)?))).collect();
        self.mapping(object, &pairs, entries.used, Pairs::Tuples)
    }

    /// Puts the repr between a prefix and a suffix.
    pub(super) fn wrapped(mut inner: Decoded, prefix: &str, suffix: &str) -> Decoded {
        inner.repr = format!("{prefix}{}{suffix}", inner.repr);
        inner
    }

    pub(super) fn list(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact("[...]"));
        }
        let (items, count) = self.inspector.list_items(object, self.limits.max_items)?;
        Ok(self.sequence(object, &items, count, ("[", "]")))
    }

    pub(super) fn tuple(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact("(...)"));
        }
        let (items, count) = self.inspector.tuple_items(object, self.limits.max_items)?;
        let close = if count == 1 { ",)" } else { ")" };
        Ok(self.sequence(object, &items, count, ("(", close)))
    }

    /// `set_repr`, Objects/setobject.c.
    pub(super) fn set(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact(format!("{}(...)", class.tp_name)));
        }
        let (items, count) = self.inspector.set_items(object, self.limits.max_items)?;
        if count == 0 {
            return Ok(Decoded::exact(format!("{}()", class.tp_name)));
        }
        let inner = self.sequence(object, &items, count, ("{", "}"));
        Ok(if class.name == "set" {
            inner
        } else {
            Self::wrapped(inner, &format!("{}(", class.tp_name), ")")
        })
    }

    pub(super) fn dict(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact("{...}"));
        }
        let entries = self.inspector.dict_entries(object, self.limits.max_items)?;
        Ok(self.mapping(object, &entries.pairs, entries.used, Pairs::Dict))
    }

    /// `frozendict_repr`, Objects/dictobject.c.
    pub(super) fn frozen_dict(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inner = self.dict(object)?;
        let prefix = format!("{}(", class.short_name());
        if inner.repr == "{}" {
            return Ok(Decoded::exact(format!("{prefix})")));
        }
        Ok(Self::wrapped(inner, &prefix, ")"))
    }

    /// What `repr` of an instance of the builtin type `builtin`, or of a subclass, calls it.
    pub(super) fn shown_name<'n>(&self, class: &'n TypeInfo, builtin: &'n str) -> &'n str {
        if self.inspector.layout.containers_name_their_class() { class.short_name() } else { builtin }
    }

    /// `deque_repr`, Modules/_collectionsmodule.c.
    pub(super) fn deque(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact("[...]"));
        }
        let (items, count) = self.inspector.deque_items(object, self.limits.max_items)?;
        let maxlen = self.inspector.int(object, self.inspector.layout.structs.DequeObject.maxlen)?;
        let inner = self.sequence(object, &items, count, ("[", "]"));
        let suffix = if maxlen >= 0 { format!(", maxlen={maxlen})") } else { ")".to_owned() };
        Ok(Self::wrapped(inner, &format!("{}(", self.shown_name(class, "deque")), &suffix))
    }

    /// `defdict_repr`, Modules/_collectionsmodule.c.
    pub(super) fn default_dict(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let factory =
            self.inspector.pointer(object, self.inspector.layout.structs.DefDictObject.default_factory)?;
        let factory = if factory.is_null() { None } else { Some(self.inner(object, factory)) };
        let mut inner = self.dict(object)?;
        let factory = factory.map_or_else(
            || "None".to_owned(),
            |value| {
                inner.absorb(&value);
                value.repr
            },
        );
        let name = self.shown_name(class, "defaultdict");
        Ok(Self::wrapped(inner, &format!("{name}({factory}, "), ")"))
    }

    /// `odict_repr`, Objects/odictobject.c: the order is that of the list of nodes.
    pub(super) fn ordered_dict(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact("..."));
        }
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let entries = inspector.dict_entries(object, usize::MAX)?;
        if entries.pairs.is_empty() {
            return Ok(Decoded::exact(format!("{}()", class.short_name())));
        }
        let values: HashMap<Address, Address> = entries.pairs.iter().copied().collect();
        let mut pairs = Vec::new();
        let mut seen = HashSet::new();
        let mut node = inspector.pointer(object, layout.PyODictObject.od_first)?;
        while !node.is_null() && pairs.len() < self.limits.max_items && seen.insert(node) {
            let key = inspector.pointer(node, layout.ODictNode.key)?;
            if let Some(&value) = values.get(&key) {
                pairs.push((key, value));
            }
            node = inspector.pointer(node, layout.ODictNode.next)?;
        }
        let inner = if inspector.layout.ordered_dict_shows_a_dict() {
            self.mapping(object, &pairs, entries.used, Pairs::Dict)
        } else {
            self.mapping(object, &pairs, entries.used, Pairs::Tuples)
        };
        Ok(Self::wrapped(inner, &format!("{}(", class.short_name()), ")"))
    }

    /// `Counter.__repr__`, Lib/collections/__init__.py: most common first.
    pub(super) fn counter(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let entries = inspector.dict_entries(object, usize::MAX)?;
        if entries.pairs.is_empty() {
            return Ok(Decoded::exact(format!("{}()", class.short_name())));
        }
        let mut pairs = Vec::new();
        for &(key, count) in &entries.pairs {
            let number = inspector.type_of(count)?.is_int().then(|| inspector.big_int(count)).transpose()?;
            pairs.push((number, (key, count)));
        }
        let sortable = pairs.iter().all(|(number, _)| number.is_some());
        if sortable {
            pairs.sort_by(|(a, _): &(Option<BigInt>, _), (b, _)| b.cmp(a));
        }
        let pairs: Vec<_> = pairs.into_iter().map(|(_, pair)| pair).take(self.limits.max_items).collect();
        let mut inner = self.mapping(object, &pairs, entries.used, Pairs::Dict);
        if !sortable {
            inner.note =
                Some("counts that are no ints: in the order of insertion, not of the counts".to_owned());
        }
        Ok(Self::wrapped(inner, &format!("{}(", class.short_name()), ")"))
    }

    /// `ChainMap.__repr__`, Lib/collections/__init__.py.
    pub(super) fn chain_map(
        &mut self,
        object: Address,
        class: &TypeInfo,
        maps: Address,
    ) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact("..."));
        }
        let (maps, count) = self.inspector.list_items(maps, self.limits.max_items)?;
        let inner = self.sequence(object, &maps, count, ("", ""));
        let inner = Decoded { children: Vec::new(), ..inner };
        Ok(Self::wrapped(inner, &format!("{}(", class.short_name()), ")"))
    }

    /// `dictview_repr`, Objects/dictobject.c.
    pub(super) fn dict_view(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact("..."));
        }
        let dict = self.inspector.non_null(object, self.inspector.layout.structs.PyDictViewObject.dv_dict)?;
        let entries = self.inspector.dict_entries(dict, self.limits.max_items)?;
        let inner = if class.tp_name.ends_with("items") {
            self.mapping(object, &entries.pairs, entries.used, Pairs::Tuples)
        } else {
            let keys = class.tp_name.ends_with("keys");
            let items: Vec<_> =
                entries.pairs.iter().map(|&(key, value)| if keys { key } else { value }).collect();
            self.sequence(object, &items, entries.used, ("[", "]"))
        };
        Ok(Self::wrapped(inner, &format!("{}(", class.tp_name), ")"))
    }

    /// `mappingproxy_repr`, Objects/descrobject.c.
    pub(super) fn mapping_proxy(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let mapping =
            self.inspector.non_null(object, self.inspector.layout.structs.MappingProxyObject.mapping)?;
        let value = self.inner(object, mapping);
        Ok(self.call("mappingproxy", vec![(None, value)]))
    }

    /// `namespace_repr`, Objects/namespaceobject.c.
    pub(super) fn namespace(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let name = if class.name == "types.SimpleNamespace" { "namespace" } else { class.tp_name.as_str() };
        if self.is_inside(object) {
            return Ok(Decoded::exact(format!("{name}(...)")));
        }
        let dict =
            self.inspector.non_null(object, self.inspector.layout.structs.PyNamespaceObject.ns_dict)?;
        let mut fields = Vec::new();
        for (key, value) in self.inspector.dict_entries(dict, usize::MAX)?.pairs {
            fields.push((self.inspector.string(key)?, value));
        }
        if self.inspector.layout.namespace_sorts_its_names() {
            fields.sort();
        }
        Ok(self.fields(object, name, &fields))
    }

    /// `Name(field=value, ...)`, with the values as attributes.
    pub(super) fn fields(&mut self, object: Address, name: &str, fields: &[(String, Address)]) -> Decoded {
        if self.at_limit() && !fields.is_empty() {
            return Decoded { repr: format!("{name}({CUT})"), truncated: true, ..Decoded::default() };
        }
        let shown = fields.len().min(self.limits.max_items);
        let parts = fields
            .iter()
            .take(shown)
            .map(|(field, value)| (Some(field.clone()), self.part(object, *value)))
            .collect();
        let mut out = self.call(name, parts);
        if shown < fields.len() {
            out.repr.truncate(out.repr.len() - 1);
            out.repr.push_str(", …)");
            out.truncated = true;
        }
        out
    }

    /// `name(argument, keyword=argument)`.
    pub(super) fn call(&self, name: &str, arguments: Vec<(Option<String>, Value)>) -> Decoded {
        let mut out = Decoded::default();
        let mut shown = Vec::new();
        for (index, (keyword, value)) in arguments.into_iter().enumerate() {
            out.absorb(&value);
            match keyword {
                Some(keyword) => {
                    shown.push(format!("{keyword}={}", value.repr));
                    self.list_child(&mut out, attribute(keyword, value));
                }
                None => {
                    shown.push(value.repr.clone());
                    self.list_child(&mut out, item(index.to_string(), value));
                }
            }
        }
        out.repr = format!("{name}({})", shown.join(", "));
        out
    }

    /// `range_repr`, Objects/rangeobject.c: the step only where it is not 1.
    pub(super) fn range(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.RangeObject;
        let mut bounds = Vec::new();
        for field in [layout.start, layout.stop, layout.step] {
            bounds.push(self.inspector.big_int(self.inspector.non_null(object, field)?)?.to_string());
        }
        if bounds.last().is_some_and(|step| step == "1") {
            bounds.pop();
        }
        Ok(Decoded::exact(format!("range({})", bounds.join(", "))))
    }

    /// `slice_repr`, Objects/sliceobject.c.
    pub(super) fn slice(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.PySliceObject;
        let mut parts = Vec::new();
        for field in [layout.start, layout.stop, layout.step] {
            let part = self.inspector.non_null(object, field)?;
            parts.push((None, self.inner(object, part)));
        }
        Ok(self.call("slice", parts))
    }
}
