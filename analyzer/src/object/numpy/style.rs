//! How the numpy of the process prints: what its release does, and the options of `numpy.set_printoptions`.

use super::super::{Inspector, Unreadable};
use crate::addr::Address;
use std::ops::RangeInclusive;

/// How arrays and scalars are printed. The default is what the latest release does without any options.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Style {
    /// Why the print options that arrays follow are not known, where they are not.
    pub(super) unknown_options: Option<String>,
    /// Scalars say their type, `np.float64(1.5)`: from 2.0.
    pub(super) named_scalars: bool,
    /// `NPY_TYPES` of `numpy.int_`: a C long, which from 2.0 on is a long long where that is what has the size of pointers.
    pub(super) int_number: i64,
    /// A Python float takes the width of the numpy float that it is compared to: from 2.0.
    pub(super) weak_floats: bool,
    /// An array of which some elements are left out says its shape: from 2.2.
    pub(super) shape_of_summary: bool,
    /// Narrow floats get exponents earlier than at 1e8: from 2.3.
    pub(super) narrow_exponents: bool,
    /// `datetime64('NaT')` says its unit: from 2.4.
    pub(super) nat_has_unit: bool,
    /// A foreign byte order is part of an array's dtype: from 1.25.
    pub(super) shows_byte_order: bool,
    /// Long arrays within structured elements are shortened: from 1.25.
    pub(super) summarises_subarrays: bool,
    /// In dtypes of structs, alignment explains gaps, and dicts have spaces behind colons and commas: from 1.22.
    pub(super) new_struct_names: bool,
    /// Digits before the point are those of the number, even where fewer would tell it from its neighbours: from 1.21.
    pub(super) exact_whole: bool,
    /// Elements of several lines are laid out as boxes: from 1.20.
    pub(super) boxes: bool,
    /// `edgeitems`, at least 1.
    pub(super) edge: u64,
    /// `threshold`.
    pub(super) threshold: u64,
    /// `precision`.
    pub(super) precision: usize,
    /// `linewidth`.
    pub(super) line_width: usize,
    /// `suppress`.
    pub(super) suppress: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            unknown_options: None,
            named_scalars: true,
            int_number: LONG,
            weak_floats: true,
            shape_of_summary: true,
            narrow_exponents: true,
            nat_has_unit: true,
            shows_byte_order: true,
            summarises_subarrays: true,
            new_struct_names: true,
            exact_whole: true,
            boxes: true,
            edge: 3,
            threshold: 1000,
            precision: 8,
            line_width: 75,
            suppress: false,
        }
    }
}

/// The releases whose `arrayprint.py` was read for this, by major and minor number: others may print by other rules.
const KNOWN: RangeInclusive<(u32, u32)> = (1, 19)..=(2, 4);

/// `NPY_LONG` and `NPY_LONGLONG`, numpy/ndarraytypes.h.
const LONG: i64 = 7;
const LONG_LONG: i64 = 9;

/// Major and minor of a release such as `2.0.0rc1`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

impl Style {
    /// What the release does without any options; nothing for one that is not known.
    fn of_release(version: &str) -> Option<Self> {
        let release = release(version).filter(|release| KNOWN.contains(release))?;
        Some(Style {
            named_scalars: release >= (2, 0),
            weak_floats: release >= (2, 0),
            shape_of_summary: release >= (2, 2),
            narrow_exponents: release >= (2, 3),
            nat_has_unit: release >= (2, 4),
            shows_byte_order: release >= (1, 25),
            summarises_subarrays: release >= (1, 25),
            new_struct_names: release >= (1, 22),
            exact_whole: release >= (1, 21),
            boxes: release >= (1, 20),
            ..Style::default()
        })
    }

    /// Reads `numpy.__version__` and the print options.
    ///
    /// # Errors
    /// Why it is not known how this numpy prints.
    pub(super) fn read(inspector: &Inspector<'_>) -> Result<Self, String> {
        let because = |error: Unreadable| format!("numpy's version and print options: {error}");
        let version = inspector
            .module_global("numpy", "__version__")
            .and_then(|version| version.map(|version| inspector.string(version)).transpose())
            .map_err(because)?
            .ok_or("numpy's version is not known")?;
        let mut style = Style::of_release(&version)
            .ok_or_else(|| format!("it is not known how numpy {version} prints"))?;
        if style.named_scalars && inspector.layout.abi.long_size() < 8 {
            style.int_number = LONG_LONG;
        }
        style.with_options(inspector).map_err(because)?.ok_or("numpy prints in a legacy mode".to_owned())
    }

    /// The style with the print options of the process; nothing in a legacy mode.
    fn with_options(self, inspector: &Inspector<'_>) -> Result<Option<Self>, Unreadable> {
        // From 2.1 they are in a context variable, whose cache is filled when any context sets it.
        if let Some(variable) = inspector.module_global("numpy._core.printoptions", "format_options")? {
            let cached = inspector.pointer(variable, inspector.layout.structs.PyContextVar.var_cached)?;
            if cached.is_null() {
                return Ok(Some(self));
            }
            let changed = self.clone().follow(inspector, cached)?;
            return Ok(changed.map(|changed| {
                let why =
                    (changed != self).then(|| "numpy's print options were changed in a context".to_owned());
                Style { unknown_options: why, ..self }
            }));
        }
        for module in ["numpy._core.arrayprint", "numpy.core.arrayprint"] {
            if let Some(options) = inspector.module_global(module, "_format_options")? {
                return self.follow(inspector, options);
            }
        }
        let why = Some("numpy's print options were not found".to_owned());
        Ok(Some(Style { unknown_options: why, ..self }))
    }

    /// Takes over the options of a dict; nothing for one that asks for a legacy mode.
    fn follow(mut self, inspector: &Inspector<'_>, options: Address) -> Result<Option<Self>, Unreadable> {
        for (name, value) in inspector.dict_entries(options, 64)?.pairs {
            let name = inspector.string(name)?;
            let is_int = inspector.type_of(value)?.is_int();
            let number = || Ok::<_, Unreadable>(u64::try_from(inspector.big_int(value)?).unwrap_or(u64::MAX));
            let is_followed = match name.as_str() {
                "edgeitems" | "threshold" | "precision" | "linewidth" | "suppress" if !is_int => false,
                "edgeitems" => {
                    self.edge = number()?;
                    self.edge > 0
                }
                "threshold" => {
                    self.threshold = number()?;
                    true
                }
                "precision" => {
                    self.precision = number()? as usize;
                    self.precision <= 64
                }
                "linewidth" => {
                    self.line_width = number()? as usize;
                    self.line_width <= 10_000
                }
                "suppress" => {
                    self.suppress = inspector.small_int(value)? != 0;
                    true
                }
                "floatmode" => inspector.string(value)? == "maxprec",
                "nanstr" => inspector.string(value)? == "nan",
                "infstr" => inspector.string(value)? == "inf",
                "sign" => inspector.string(value)? == "-",
                "formatter" | "override_repr" => inspector.is_none(value)?,
                // False up to 1.21, then `sys.maxsize`.
                "legacy" if is_int => match inspector.small_int(value)? {
                    0 | i64::MAX => true,
                    _ => return Ok(None),
                },
                "legacy" => return Ok(None),
                _ => false,
            };
            if !is_followed {
                self.unknown_options = Some(format!("numpy's print option {name} was changed"));
            }
        }
        Ok(Some(self))
    }
}

impl Inspector<'_> {
    /// A variable of a module that was imported.
    fn module_global(&self, module: &str, name: &str) -> Result<Option<Address>, Unreadable> {
        let modules = self.sys_modules();
        if modules.is_null() {
            return Ok(None);
        }
        let Some(module) = self.dict_get(modules, module)? else { return Ok(None) };
        self.dict_get(self.non_null(module, self.layout.structs.PyModuleObject.md_dict)?, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_told_apart() {
        assert_eq!(release("1.26.4"), Some((1, 26)));
        assert_eq!(release("2.0.0rc1"), Some((2, 0)));
        assert_eq!(release("2"), None);
        assert!(Style::of_release("1.18.5").is_none());
        assert!(!Style::of_release("1.24.4").unwrap().shows_byte_order);
        assert!(Style::of_release("2.4.6").unwrap().narrow_exponents);
    }
}
