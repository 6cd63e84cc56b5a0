//! What frames are called beyond their code's own name: the module, and up to 3.10, where code does not have it, the
//! qualified name.

use super::Stacks;
use super::code::Code;
use super::frame::RawFrame;
use crate::addr::Address;
use crate::object::Unreadable;
use std::rc::Rc;

/// `__name__` is among the first names of a module; this many are looked at before all are.
const FIRST_NAMES: usize = 16;
/// The most classes of one object that are asked for a method.
const MAX_CLASSES: usize = 64;

impl Stacks<'_, '_> {
    /// `__name__` of a frame's global names; `None` where it is not there, or not a string, or cannot be read.
    pub(super) fn module_name(&self, raw: &RawFrame) -> Option<String> {
        if !self.names {
            return None;
        }
        let globals = self.globals_of(raw).ok()?;
        let known = self.modules.borrow().get(&globals).cloned();
        let name = known.unwrap_or_else(|| {
            let name = self.name_in(globals).ok().flatten().map(Rc::from);
            self.modules.borrow_mut().insert(globals, name.clone());
            name
        });
        name.as_deref().map(str::to_owned)
    }

    fn name_in(&self, globals: Address) -> Result<Option<String>, Unreadable> {
        const NAME: &str = "__name__";
        let inspector = self.inspector;
        if !inspector.type_of(globals)?.is_dict() {
            return Ok(None);
        }
        let mut found = None;
        for (key, value) in inspector.dict_entries(globals, FIRST_NAMES)?.pairs {
            if inspector.is_str_object(key)? && inspector.is_ascii_string(key, NAME)? {
                found = Some(value);
            }
        }
        let found = match found {
            Some(found) => Some(found),
            None => inspector.dict_get(globals, NAME)?,
        };
        let Some(name) = found.filter(|&name| inspector.is_str_object(name).unwrap_or(false)) else {
            return Ok(None);
        };
        inspector.string(name).map(Some)
    }

    /// The qualified name of a frame's code. Where code has none it is that of the function that has this very code, found
    /// where functions are: under the code's name in the module, or in the classes of the first argument.
    pub(super) fn qualified_name(&self, raw: &RawFrame, code: &Code) -> Option<String> {
        let layout = &self.inspector.layout.structs;
        let is_told = layout.PyCodeObject.co_qualname.exists();
        if is_told || !self.names || !layout.PyFunctionObject.func_qualname.exists() {
            return code.qualname.clone();
        }
        let name = code.name.as_deref()?;
        if name == "<module>" {
            return Some(name.to_owned());
        }
        let known = self.qualified.borrow().get(&raw.code).cloned();
        let found = known.unwrap_or_else(|| {
            let found = self.found_name(raw, code, name).map(Rc::from);
            self.qualified.borrow_mut().insert(raw.code, found.clone());
            found
        });
        found.as_deref().map(str::to_owned)
    }

    fn found_name(&self, raw: &RawFrame, code: &Code, name: &str) -> Option<String> {
        let inspector = self.inspector;
        if !name.is_ascii() || name.starts_with('<') {
            return None;
        }
        let in_dict = |dict: Address| inspector.dict_get(dict, name).ok().flatten();
        let in_module = self.globals_of(raw).ok().and_then(in_dict);
        let found = in_module.and_then(|found| self.name_of_function(found, raw.code));
        let found = found.or_else(|| {
            let classes = self.classes_of_first(raw, code).ok()?;
            let dicts = classes.into_iter().filter_map(|class| inspector.type_info(class).ok());
            dicts.filter(|class| !class.dict.is_null()).find_map(|class| {
                in_dict(class.dict).and_then(|found| self.name_of_function(found, raw.code))
            })
        });
        found.filter(|found| is_name_of(found, name))
    }

    /// The classes in which a method of a frame's first argument would be found.
    fn classes_of_first(&self, raw: &RawFrame, code: &Code) -> Result<Vec<Address>, Unreadable> {
        let inspector = self.inspector;
        let Some(name) = code.variables.first().map(|first| &first.name) else { return Ok(Vec::new()) };
        // An argument that inner functions share has a further place behind the others.
        let mut places = code.variables.iter().enumerate().filter(|(_, variable)| variable.name == *name);
        let Some((index, variable)) = places.next_back() else { return Ok(Vec::new()) };
        let Some(object) = self.bound(raw.slots.element(index as u64, 8), variable.kind)? else {
            return Ok(Vec::new());
        };
        let class = inspector.type_of(object)?;
        let own = if class.is_type() { inspector.type_info(object)?.mro.clone() } else { Vec::new() };
        Ok(own.into_iter().chain(class.mro.iter().copied()).take(MAX_CLASSES).collect())
    }

    /// `__qualname__` of the function, class method or static method at `found` if it has this code.
    fn name_of_function(&self, found: Address, code: Address) -> Option<String> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let wrapped = match inspector.type_of(found).ok()?.name.as_str() {
            "function" => found,
            "classmethod" => inspector.non_null(found, layout.ClassMethod.cm_callable).ok()?,
            "staticmethod" => inspector.non_null(found, layout.StaticMethod.sm_callable).ok()?,
            _ => return None,
        };
        if inspector.type_of(wrapped).ok()?.name != "function" {
            return None;
        }
        let function = &layout.PyFunctionObject;
        if inspector.pointer(wrapped, function.func_code).ok()? != code {
            return None;
        }
        inspector.string(inspector.non_null(wrapped, function.func_qualname).ok()?).ok()
    }
}

/// Whether a qualified name is of something that is called `name`.
fn is_name_of(qualified: &str, name: &str) -> bool {
    qualified.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}
