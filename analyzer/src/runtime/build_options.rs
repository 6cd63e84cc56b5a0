//! What the options of a build change of a layout without moving any field, as far as the interpreter tells.

use crate::addr::Address;
use crate::layout::Layout;
use crate::object::{Inspector, Unreadable};
use crate::stack::{Roots, interpreter_states};

/// `sys.maxunicode` of builds whose `Py_UNICODE` has 2 bytes.
const NARROW: i64 = 0xffff;

/// The inspector's layout with what the options of the interpreter that hangs from `roots` change.
pub(super) fn applied(inspector: &Inspector<'_>, roots: &Roots) -> Layout {
    let mut layout = inspector.layout.clone();
    let (states, _) = interpreter_states(inspector, roots);
    let Some(sysdict) = states.first().map(|state| state.sysdict).filter(|at| !at.is_null()) else {
        return layout;
    };
    // By another version's layout, any bytes may look like a large dict.
    if !inspector.shape_of(sysdict).is_ok_and(|class| class.is_dict()) {
        return layout;
    }
    // Where this cannot be read, judging the layout tells it.
    if let Ok(Some(bits)) = bits_per_digit(inspector, sysdict)
        && let Some(place) = &mut layout.structs.PyLongObject.ob_digit.place
    {
        place.size = if bits == 15 { 2 } else { 4 };
    }
    let narrow = |inspector: &Inspector<'_>| -> Result<bool, Unreadable> {
        let Some(largest) = inspector.dict_get(sysdict, "maxunicode")? else { return Ok(false) };
        Ok(inspector.small_int(largest)? == NARROW)
    };
    if layout.narrow_unicode_is_possible()
        && let Ok(narrow) = narrow(inspector)
    {
        layout.narrow_unicode = narrow;
    }
    layout
}

/// The first item of `sys.int_info`, of `sys.long_info` in 2.7: 15 or 30. Both fit one digit of either size, so the low
/// 2 bytes of the first digit tell it.
fn bits_per_digit(inspector: &Inspector<'_>, sysdict: Address) -> Result<Option<u16>, Unreadable> {
    for name in ["int_info", "long_info"] {
        let Some(info) = inspector.dict_get(sysdict, name)? else { continue };
        let Some(&first) = inspector.tuple_items(info, 1)?.0.first() else { continue };
        let structs = &inspector.layout.structs;
        let number = if structs.PyIntObject.ob_ival.exists() {
            structs.PyIntObject.ob_ival
        } else {
            structs.PyLongObject.ob_digit
        };
        let bits = inspector.memory.u16(inspector.field_address(first, number)?)?;
        return Ok(matches!(bits, 15 | 30).then_some(bits));
    }
    Ok(None)
}
