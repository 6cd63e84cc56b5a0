//! numpy's arrays, scalars and dtypes. Their reprs are code of a library, known here release by release; what is not
//! known to be exact says so.

mod array;
mod cells;
mod dtype;
mod float;
mod lines;
mod names;
mod scalar;
mod style;
mod time;

use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::{Layout, LayoutRegistry, PackageLayout};
pub(super) use float::half;
use style::Style;

/// What is known of the numpy of the process; read once, when the first of its objects is met.
pub(super) struct Numpy {
    tables: Vec<PackageLayout>,
    /// How it prints, or why that is not known.
    style: Result<Style, String>,
}

impl Inspector<'_> {
    fn numpy(&self) -> &Numpy {
        self.numpy.get_or_init(|| Numpy {
            tables: LayoutRegistry::new()
                .tables_of("numpy", self.layout.abi)
                .filter(|table| begins_with_a_head_of(table, self.layout))
                .cloned()
                .collect(),
            style: Style::read(self),
        })
    }
}

/// Whether the table is for builds of CPython whose objects begin as those of `layout` do: an array's first field is
/// directly behind its `PyObject`.
fn begins_with_a_head_of(table: &PackageLayout, layout: &Layout) -> bool {
    table
        .structs
        .PyArrayObject
        .data
        .place
        .is_some_and(|place| place.offset == layout.structs.PyObject.size_of)
}

impl Numpy {
    /// A table for the structs that all releases have alike: all but those of dtypes.
    fn table(&self) -> Result<&PackageLayout, Unreadable> {
        self.tables.first().ok_or(Unreadable::NoField("PyArrayObject.data"))
    }

    /// The table whose `PyArrayDescr` is as large as the instances of a dtype's class.
    fn table_of_dtype(&self, at: Address, class: &TypeInfo) -> Result<&PackageLayout, Unreadable> {
        let fits = |table: &&PackageLayout| i64::from(table.structs.PyArrayDescr.size_of) == class.basic_size;
        self.tables.iter().find(fits).ok_or_else(|| Unreadable::Nonsense {
            at,
            what: format!("a {} of {} bytes, as no known numpy has it", class.name, class.basic_size),
        })
    }
}
