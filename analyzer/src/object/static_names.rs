//! Names of static types whose `tp_name` is missing: it lies in read-only data, which is not in a core. The types are
//! attributes of modules, whose dictionaries are.

use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::layout::Field;
use std::collections::HashMap;

/// The most attributes of all modules that are looked at.
const MAX_ATTRIBUTES: usize = 4_000_000;

/// The name of a static type.
pub(super) struct StaticName {
    name: String,
    /// Whether types of CPython are known to have this name there.
    certain: bool,
}

impl Inspector<'_> {
    /// The `tp_name` of the static type at `address`, by the module that has it: of CPython's own types as they are
    /// known to be called there; of others, `module.attribute` of the only module that has it.
    pub(super) fn static_name(&self, address: Address, why: &Unreadable) -> Option<String> {
        if self.sys_modules().is_null() {
            return None;
        }
        let found = self.static_names.get_or_init(|| self.name_static_types()).get(&address)?;
        if !found.certain {
            self.note_gap(why.gap(format!(
                "the name of the type at {address}, shown as {}, as which a module has it",
                found.name
            )));
        }
        Some(found.name.clone())
    }

    /// The name of the method that the `PyMethodDef` at `method` describes, `owner` being what it belongs to, where its
    /// own `ml_name` is missing: that of the module's attribute or of the descriptor in a class that has the same one.
    pub(super) fn method_name(&self, method: Address, owner: Address) -> Result<Option<String>, Unreadable> {
        let layout = &self.layout.structs;
        let named = |dict: Address, kinds: &[&str], field: Field| -> Result<Option<String>, Unreadable> {
            for (name, value) in self.dict_entries(dict, MAX_ATTRIBUTES)?.pairs {
                if self.type_of(value).is_ok_and(|class| kinds.contains(&class.name.as_str()))
                    && self.pointer(value, field) == Ok(method)
                {
                    return self.string(name).map(Some);
                }
            }
            Ok(None)
        };
        let class = self.type_of(owner)?;
        if class.name == "module" {
            let dict = self.non_null(owner, layout.PyModuleObject.md_dict)?;
            return named(dict, &["builtin_function_or_method"], layout.PyCFunctionObject.m_ml);
        }
        for &base in &class.mro {
            let dict = self.type_info(base)?.dict;
            let kinds = ["method_descriptor", "classmethod_descriptor"];
            if !dict.is_null()
                && let Some(name) = named(dict, &kinds, layout.PyMethodDescrObject.d_method)?
            {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn name_static_types(&self) -> HashMap<Address, StaticName> {
        let known = self.layout.static_types();
        let mut names = HashMap::new();
        let mut others: HashMap<Address, Vec<String>> = HashMap::new();
        let mut left = MAX_ATTRIBUTES;
        for (module, attributes) in self.module_dicts() {
            for (attribute, value) in attributes {
                let Some(rest) = left.checked_sub(1) else { break };
                left = rest;
                let path = format!("{module}.{attribute}");
                if self.is_static_type(value).unwrap_or(false) {
                    match known.types.get(&path) {
                        Some(name) => {
                            names.insert(value, StaticName { name: name.clone(), certain: true });
                        }
                        None => others.entry(value).or_default().push(path),
                    }
                } else if let Some(name) = known.instances.get(&path)
                    && let Ok(class) = self.pointer(value, self.layout.structs.PyObject.ob_type)
                {
                    names.entry(class).or_insert_with(|| StaticName { name: name.clone(), certain: true });
                }
            }
        }
        for (address, paths) in others {
            if let [path] = paths.as_slice() {
                names.entry(address).or_insert_with(|| StaticName { name: path.clone(), certain: false });
            }
        }
        names
    }

    /// The modules of `sys.modules` by name, with what their dictionaries hold; those that cannot be read are left out.
    fn module_dicts(&self) -> Vec<(String, Vec<(String, Address)>)> {
        let Ok(modules) = self.dict_entries(self.sys_modules(), MAX_ATTRIBUTES) else { return Vec::new() };
        let read = |name: Address, module: Address| -> Result<_, Unreadable> {
            let dict = self.non_null(module, self.layout.structs.PyModuleObject.md_dict)?;
            let class = self.non_null(dict, self.layout.structs.PyObject.ob_type)?;
            if !self.is_dict_type(class)? {
                return Err(Unreadable::Nonsense { at: dict, what: "no dict of a module".to_owned() });
            }
            let entries = self.dict_entries(dict, MAX_ATTRIBUTES)?.pairs.into_iter();
            let named = entries.filter_map(|(key, value)| Some((self.string(key).ok()?, value)));
            Ok((self.string(name)?, named.collect()))
        };
        modules.pairs.into_iter().filter_map(|(name, module)| read(name, module).ok()).collect()
    }
}
