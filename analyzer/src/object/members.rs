//! Attributes that C code computes from a field: which field of which type.

use super::lookup::Part;
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::Field;
use crate::report::Value;

impl Inspector<'_> {
    /// What a field of a builtin type's struct has, under the attribute's name that gives it; a null pointer is `None`.
    pub(super) fn member(
        &self,
        object: Address,
        class: &TypeInfo,
        name: &str,
    ) -> Result<Option<Part>, Unreadable> {
        let Some(field) = self.field_behind(class, name).filter(|field| field.exists()) else {
            return Ok(None);
        };
        let found = self.pointer(object, field)?;
        Ok(Some(if found.is_null() {
            Part::Value(Box::new(Value::made("NoneType", "None".to_owned())))
        } else {
            Part::Object(found, None)
        }))
    }

    fn field_behind(&self, class: &TypeInfo, name: &str) -> Option<Field> {
        let layout = &self.layout.structs;
        let (exception, function) = (&layout.PyBaseExceptionObject, &layout.PyFunctionObject);
        let (method, code) = (&layout.PyMethodObject, &layout.PyCodeObject);
        Some(match (class.name.as_str(), name) {
            (_, "args") if class.is_exception() => exception.args,
            (_, "__cause__") if class.is_exception() => exception.cause,
            (_, "__context__") if class.is_exception() => exception.context,
            (_, "__traceback__") if class.is_exception() => exception.traceback,
            (_, "__mro__") if class.is_type() => layout.PyTypeObject.tp_mro,
            (_, "__base__") if class.is_type() => layout.PyTypeObject.tp_base,
            ("function", "__code__") => function.func_code,
            ("function", "__globals__") => function.func_globals,
            ("function", "__closure__") => function.func_closure,
            ("function", "__name__") => function.func_name,
            ("function", "__qualname__") => function.func_qualname,
            ("function", "__module__") => function.func_module,
            ("method" | "instancemethod", "__func__") => method.im_func,
            ("method" | "instancemethod", "__self__") => method.im_self,
            ("cell", "cell_contents") => layout.PyCellObject.ob_ref,
            ("code", "co_name") => code.co_name,
            ("code", "co_qualname") => code.co_qualname,
            ("code", "co_filename") => code.co_filename,
            _ => return None,
        })
    }
}
