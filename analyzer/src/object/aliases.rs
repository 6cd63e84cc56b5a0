//! Types put together from types, `list[int]` and `int | None`, and the getters of `operator`.

use super::stdlib::Attributes;
use super::values::{CUT, Decoded, Walk};
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::Field;

/// The most arguments of one alias that are shown.
const MAX_ARGUMENTS: usize = 100;

impl Inspector<'_> {
    /// Names joined by dots: how `attrgetter` keeps `a.b` as a tuple (`dotjoinattr`, Modules/_operator.c).
    fn dotted(&self, attribute: Address) -> Result<String, Unreadable> {
        if !self.type_of(attribute)?.is_tuple() {
            return self.string(attribute);
        }
        let names = self.tuple_items(attribute, MAX_ARGUMENTS)?.0.into_iter().map(|name| self.string(name));
        Ok(names.collect::<Result<Vec<_>, _>>()?.join("."))
    }
}

impl Walk<'_, '_> {
    /// `ga_repr`, Objects/genericaliasobject.c.
    pub(super) fn generic_alias(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.GenericAlias;
        let mut out = Decoded::default();
        if layout.starred.exists() && inspector.uint(object, layout.starred)? != 0 {
            out.repr.push('*');
        }
        let origin = self.alias_part(object, inspector.non_null(object, layout.origin)?, &mut out)?;
        out.repr += &origin;
        let arguments = self.alias_parts(object, layout.args, &mut out)?;
        out.repr +=
            &if arguments.is_empty() { "[()]".to_owned() } else { format!("[{}]", arguments.join(", ")) };
        Ok(out)
    }

    /// `union_repr`, Objects/unionobject.c.
    pub(super) fn union_alias(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let mut out = Decoded::default();
        let args = self.inspector.layout.structs.UnionObject.args;
        let mut parts = self.alias_parts(object, args, &mut out)?;
        for part in parts.iter_mut().filter(|part| *part == "NoneType") {
            *part = "None".to_owned();
        }
        out.repr = parts.join(" | ");
        Ok(out)
    }

    /// `ForwardRef.__repr__`, Lib/annotationlib.py; `None` for one whose text has yet to be made from a syntax tree.
    pub(super) fn forward_reference(
        &mut self,
        object: Address,
        attributes: &Attributes,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let given = |name: &str| -> Result<Option<Address>, Unreadable> {
            match attributes.get(name) {
                Some(value) if !inspector.is_none(value)? => Ok(Some(value)),
                _ => Ok(None),
            }
        };
        let text = match (given("__resolved_str_cache__")?, given("__extra_names__")?) {
            (None, None) => given("__arg__")?,
            (resolved, _) => resolved,
        };
        let Some(text) = text else { return Ok(None) };
        let mut parts = vec![(None, self.inner(object, text))];
        if let Some(module) = given("__forward_module__")? {
            parts.push((Some("module".to_owned()), self.inner(object, module)));
        }
        if let Some(flag) = given("__forward_is_class__")?.filter(|&flag| inspector.small_int(flag) == Ok(1))
        {
            parts.push((Some("is_class".to_owned()), self.inner(object, flag)));
        }
        if let Some(owner) = given("__owner__")? {
            parts.push((Some("owner".to_owned()), self.inner(object, owner)));
        }
        Ok(Some(self.call("ForwardRef", parts)))
    }

    fn alias_parts(
        &mut self,
        object: Address,
        tuple: Field,
        out: &mut Decoded,
    ) -> Result<Vec<String>, Unreadable> {
        let tuple = self.inspector.non_null(object, tuple)?;
        let (parts, count) = self.inspector.tuple_items(tuple, MAX_ARGUMENTS)?;
        let mut shown = Vec::new();
        for &part in &parts {
            shown.push(self.alias_part(object, part, out)?);
        }
        if count > parts.len() as u64 {
            shown.push(CUT.to_owned());
            out.truncated = true;
        }
        Ok(shown)
    }

    /// `ga_repr_item`: types by their names, lists with their items as such, everything else by its repr.
    fn alias_part(
        &mut self,
        object: Address,
        part: Address,
        out: &mut Decoded,
    ) -> Result<String, Unreadable> {
        let inspector = self.inspector;
        let class = inspector.type_of(part)?;
        if class.name == "ellipsis" {
            return Ok("...".to_owned());
        }
        if class.name == "NoneType" {
            return Ok("None".to_owned());
        }
        if class.is_type() {
            let named = inspector.type_info(part)?;
            if !named.module.is_empty() {
                return Ok(named.name.clone());
            }
        }
        if class.name == "list" && inspector.layout.aliases_look_into_lists() && !self.is_inside(part) {
            let mut shown = Vec::new();
            for item in inspector.list_items(part, MAX_ARGUMENTS)?.0 {
                let value = if inspector.type_of(item)?.name == "list" {
                    let value = self.inner(object, item);
                    out.absorb(&value);
                    value.repr
                } else {
                    self.alias_part(object, item, out)?
                };
                shown.push(value);
            }
            return Ok(format!("[{}]", shown.join(", ")));
        }
        let value = self.inner(object, part);
        out.absorb(&value);
        if matches!(class.name.as_str(), "function" | "builtin_function_or_method" | "method_descriptor") {
            out.note = Some("functions among its arguments are shown by their names".to_owned());
        }
        Ok(value.repr)
    }

    /// `itemgetter_repr`, Modules/_operator.c.
    pub(super) fn item_getter(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.ItemGetterObject;
        let item = self.inner(object, self.inspector.non_null(object, layout.item)?);
        let is_single = self.inspector.int(object, layout.nitems)? == 1;
        let arguments = if is_single { format!("({})", item.repr) } else { item.repr.clone() };
        let mut out = Decoded::exact(format!("{}{arguments}", class.tp_name));
        out.absorb(&item);
        Ok(out)
    }

    /// `attrgetter_repr`, Modules/_operator.c.
    pub(super) fn attribute_getter(
        &mut self,
        object: Address,
        class: &TypeInfo,
    ) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let attributes = inspector.non_null(object, inspector.layout.structs.AttrGetterObject.attr)?;
        let (attributes, count) = inspector.tuple_items(attributes, MAX_ARGUMENTS)?;
        let mut shown = attributes
            .iter()
            .map(|&attribute| Ok(inspector.repr_of_text(&inspector.dotted(attribute)?)))
            .collect::<Result<Vec<_>, Unreadable>>()?;
        let truncated = count > shown.len() as u64;
        if truncated {
            shown.push(CUT.to_owned());
        }
        let repr = format!("{}({})", class.tp_name, shown.join(", "));
        Ok(Decoded { truncated, ..Decoded::exact(repr) })
    }
}
