//! The modules that frames belong to.

use super::Stacks;
use super::frame::RawFrame;
use crate::addr::Address;
use crate::object::Unreadable;
use std::rc::Rc;

/// `__name__` is among the first names of a module; this many are looked at before all are.
const FIRST_NAMES: usize = 16;

impl Stacks<'_, '_> {
    /// `__name__` of a frame's global names; `None` where it is not there, or not a string, or cannot be read.
    pub(super) fn module_name(&self, raw: &RawFrame) -> Option<String> {
        if !self.module_names {
            return None;
        }
        let globals = self.globals_of(raw).ok()?;
        let mut known = self.modules.borrow_mut();
        let name = known.entry(globals).or_insert_with(|| self.name_in(globals).ok().flatten().map(Rc::from));
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
}
