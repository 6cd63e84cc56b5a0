//! Tables that have only what differs from another one: of a machine whose ABI moves a few fields.
//!
//! ```yaml
//! schema: pycore.layout/1
//! name: cpython-3.11-lp64-aarch64
//! base: cpython-3.11-lp64
//! machine: aarch64
//! provenance:
//!   - file: "headers.o"
//!     ...
//! structs:
//!   PyRuntimeState:
//!     ...
//! ```
//!
//! The base is a built-in table. A struct that the overlay has replaces that of the base, all of it; everything else is
//! as the base has it.

use super::registry::LayoutRegistry;
use super::schema::{STRUCTS, StructSpec, Structs};
use super::table::{Layout, Provenance, name, schema};
use super::yaml::{write_provenance, write_structs};
use crate::addr::Machine;
use serde::de::Error as _;

/// The file's form.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Overlay {
    #[serde(deserialize_with = "schema")]
    schema: String,
    #[serde(deserialize_with = "name")]
    name: String,
    #[serde(deserialize_with = "name")]
    base: String,
    machine: Machine,
    provenance: Vec<Provenance>,
    structs: Structs,
}

/// Whether a table's text is an overlay: it has a top-level key `base`.
pub(super) fn is_overlay(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("base:"))
}

/// Parses an overlay.
pub(super) fn from_yaml(text: &str) -> Result<Layout, serde_yaml::Error> {
    let Overlay { schema, name, base, machine, provenance, structs } = serde_yaml::from_str(text)?;
    let mut layout = base_named(&base).map_err(serde_yaml::Error::custom)?;
    layout.schema = schema;
    layout.name = name;
    layout.base = Some(base);
    layout.machine = Some(machine);
    layout.provenance = provenance;
    for spec in STRUCTS.iter().filter(|spec| has(&structs, spec)) {
        copy(spec, &structs, &mut layout.structs);
    }
    Ok(layout)
}

/// A table that is `base` with all structs of `structs`, which were read from debug information of `machine`.
///
/// # Errors
/// When there is no such table to base one on.
pub fn overlay(
    name: String,
    base: &str,
    machine: Machine,
    structs: &Structs,
    provenance: Vec<Provenance>,
) -> Result<Layout, String> {
    let mut layout = base_named(base)?;
    layout.name = name;
    layout.base = Some(base.to_owned());
    layout.machine = Some(machine);
    layout.provenance = provenance;
    for spec in STRUCTS.iter().filter(|spec| has(structs, spec)) {
        copy(spec, structs, &mut layout.structs);
    }
    Ok(layout)
}

/// The overlay's text: of the structs those that are not as the base, `base`, has them.
pub(super) fn to_yaml(layout: &Layout, base: &str) -> String {
    let mut different = layout.structs;
    if let Ok(base) = base_named(base) {
        for spec in STRUCTS.iter().filter(|spec| is_same(spec, &layout.structs, &base.structs)) {
            copy(spec, &Structs::default(), &mut different);
        }
    }
    let mut yaml = format!("schema: {}\nname: {}\nbase: {base}\n", layout.schema, layout.name);
    if let Some(machine) = layout.machine {
        yaml.push_str(&format!("machine: {machine}\n"));
    }
    write_provenance(&mut yaml, &layout.provenance);
    write_structs(&mut yaml, &different);
    yaml
}

fn base_named(name: &str) -> Result<Layout, String> {
    let registry = LayoutRegistry::new();
    let entry = registry.get(name).ok_or_else(|| format!("the base {name} is no built-in table"))?;
    if entry.target.machine.is_some() {
        return Err(format!("the base {name} is itself for one machine only"));
    }
    entry.layout().cloned().map_err(|error| error.to_string())
}

/// Whether `structs` says anything of a struct.
fn has(structs: &Structs, spec: &StructSpec) -> bool {
    !is_same(spec, structs, &Structs::default())
}

fn is_same(spec: &StructSpec, one: &Structs, other: &Structs) -> bool {
    let place = |structs: &Structs, field| structs.field(spec.name, field).and_then(|field| field.place);
    one.size(spec.name) == other.size(spec.name)
        && spec.fields.iter().all(|field| place(one, field.name) == place(other, field.name))
}

fn copy(spec: &StructSpec, from: &Structs, to: &mut Structs) {
    if let (Some(from), Some(to)) = (from.size(spec.name), to.size_mut(spec.name)) {
        *to = from;
    }
    for field in spec.fields {
        if let (Some(from), Some(to)) =
            (from.field(spec.name, field.name), to.field_mut(spec.name, field.name))
        {
            to.place = from.place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Place;

    const HEAD: &str =
        "schema: pycore.layout/1\nname: own-aarch64\nbase: cpython-3.11-lp64\nmachine: aarch64\n";

    fn table(structs: &str) -> String {
        format!("{HEAD}provenance: []\nstructs:\n{structs}")
    }

    #[test]
    fn an_overlay_has_its_own_structs_and_the_rest_of_its_base() {
        let text = table("  PyCellObject:\n    size: 32\n    fields:\n      ob_ref: [24, 8]\n");
        let layout = Layout::from_yaml(&text, "test").unwrap();
        let base = base_named("cpython-3.11-lp64").unwrap();
        assert_eq!((layout.python, layout.machine), (base.python, Some(Machine::Aarch64)));
        assert_eq!((layout.push_exc_info, &layout.unicode), (base.push_exc_info, &base.unicode));
        assert_eq!(layout.structs.PyCellObject.ob_ref.place, Some(Place { offset: 24, size: 8, bits: None }));
        assert_eq!(layout.structs.PyFloatObject.ob_fval, base.structs.PyFloatObject.ob_fval);
        assert_eq!(layout.to_yaml(), text);
    }

    #[test]
    fn what_is_as_the_base_has_it_is_left_out() {
        let base = base_named("cpython-3.11-lp64").unwrap();
        let mut structs = Structs::default();
        structs.PyCellObject = base.structs.PyCellObject;
        structs.PyFloatObject.size_of = 4711;
        let layout =
            overlay("own-aarch64".to_owned(), "cpython-3.11-lp64", Machine::Aarch64, &structs, Vec::new());
        assert_eq!(layout.unwrap().to_yaml(), table("  PyFloatObject:\n    size: 4711\n    fields: {}\n"));
    }

    #[test]
    fn a_base_must_be_a_whole_built_in_table() {
        let error = |base: &str| {
            let text = table("  {}").replace("cpython-3.11-lp64", base);
            Layout::from_yaml(&text, "test").unwrap_err().to_string()
        };
        assert!(error("nothing").contains("the base nothing is no built-in table"));
        assert!(error("cpython-3.11-lp64-aarch64").contains("is itself for one machine only"));
        assert!(
            Layout::from_yaml(&format!("{HEAD}abi: lp64\nprovenance: []\nstructs: {{}}\n"), "test").is_err(),
            "what the base says is not said again"
        );
    }
}
