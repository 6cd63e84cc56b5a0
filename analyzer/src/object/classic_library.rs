//! Types of the standard library of 2.7 that are written in Python there, and in C or otherwise later.

use super::decimal::scientific;
use super::stdlib::Attributes;
use super::values::{Decoded, Walk};
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use num_bigint::Sign;

/// The most entries of one `OrderedDict` that are looked at.
const MAX_ENTRIES: usize = 1 << 24;
/// The largest exponent of a `Decimal` that is shown: what is beyond `decimal.MAX_EMAX` of later versions is damaged.
const MAX_EXPONENT: i64 = 999_999_999_999_999_999;

impl Inspector<'_> {
    /// The keys of an `OrderedDict` in order: a circle of lists `[previous, next, key]`.
    fn ordered_keys(&self, root: Address, limit: usize) -> Result<Vec<Address>, Unreadable> {
        let link = |node: Address, index: usize| -> Result<Address, Unreadable> {
            let (items, _) = self.list_items(node, 3)?;
            items.get(index).copied().ok_or_else(|| Unreadable::Nonsense {
                at: node,
                what: "a link of an OrderedDict that is not whole".to_owned(),
            })
        };
        let mut keys = Vec::new();
        let mut node = link(root, 1)?;
        while node != root && keys.len() < limit {
            keys.push(link(node, 2)?);
            node = link(node, 1)?;
        }
        Ok(keys)
    }
}

impl Walk<'_, '_> {
    /// The repr of an instance whose `__repr__` is the Python function `module.qualname` of 2.7; `None` for one that
    /// prints as it does later.
    pub(super) fn classic_library(
        &mut self,
        object: Address,
        class: &TypeInfo,
        module: &str,
        qualname: &str,
    ) -> Result<Option<Decoded>, Unreadable> {
        // The name is that which the class was made with, even for a subclass.
        if let Some(name) = module.strip_prefix("namedtuple_")
            && class.is_tuple()
        {
            return self.named_tuple(object, class, name).map(Some);
        }
        let attributes = || self.inspector.attribute_map(object, class);
        Ok(Some(match (module, qualname) {
            ("collections", "OrderedDict.__repr__") => {
                let attributes = attributes()?;
                return self.classic_ordered_dict(object, class, &attributes).map(Some);
            }
            ("decimal", "Decimal.__repr__") => {
                Decoded::exact(format!("Decimal('{}')", self.classic_decimal(object, &attributes()?)?))
            }
            ("fractions", "Fraction.__repr__") => {
                let attributes = attributes()?;
                let numerator = self.int_attribute(object, &attributes, "_numerator")?;
                let denominator = self.int_attribute(object, &attributes, "_denominator")?;
                Decoded::exact(format!("Fraction({numerator}, {denominator})"))
            }
            ("threading", "Thread.__repr__") => {
                let attributes = attributes()?;
                Decoded::exact(self.classic_thread(object, class, &attributes)?)
            }
            ("threading", "_Condition.__repr__") => {
                let attributes = attributes()?;
                let part =
                    |name: &str| attributes.get(name).ok_or_else(|| self.inspector.missing(object, name));
                let (lock, waiters) = (part("_Condition__lock")?, part("_Condition__waiters")?);
                let waiters = self.inspector.length(waiters)?;
                let lock = self.inner(object, lock);
                let mut out = Decoded::exact(format!("<Condition({}, {waiters})>", lock.repr));
                out.absorb(&lock);
                out
            }
            _ => return Ok(None),
        }))
    }

    /// `OrderedDict.__repr__`, Lib/collections.py.
    fn classic_ordered_dict(
        &mut self,
        object: Address,
        class: &TypeInfo,
        attributes: &Attributes,
    ) -> Result<Decoded, Unreadable> {
        if self.is_inside(object) {
            return Ok(Decoded::exact("..."));
        }
        let inspector = self.inspector;
        let entries = inspector.dict_entries(object, usize::MAX)?;
        if entries.pairs.is_empty() {
            return Ok(Decoded::exact(format!("{}()", class.short_name())));
        }
        let root = attributes.get("_OrderedDict__root");
        let root = root.ok_or_else(|| inspector.missing(object, "_OrderedDict__root"))?;
        let keys = inspector.ordered_keys(root, self.limits.max_items.min(MAX_ENTRIES))?;
        let inner = self.pairs_in_order(object, &keys, &entries);
        Ok(Self::wrapped(inner, &format!("{}(", class.short_name()), ")"))
    }

    /// `Decimal.__str__`, Lib/decimal.py: a sign, digits as text, an exponent that may be a letter.
    fn classic_decimal(&self, object: Address, attributes: &Attributes) -> Result<String, Unreadable> {
        let inspector = self.inspector;
        let sign = self.int_attribute(object, attributes, "_sign")?;
        let sign = if sign.sign() == Sign::NoSign { "" } else { "-" };
        let digits = self.text_attribute(object, attributes, "_int")?;
        let exponent = attributes.get("_exp").ok_or_else(|| inspector.missing(object, "_exp"))?;
        if inspector.is_str_object(exponent)? {
            return Ok(match inspector.string(exponent)?.as_str() {
                "F" => format!("{sign}Infinity"),
                "n" => format!("{sign}NaN{digits}"),
                _ => format!("{sign}sNaN{digits}"),
            });
        }
        let exponent = inspector.small_int(exponent)?;
        if exponent.abs() > MAX_EXPONENT || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            let what = format!("a Decimal of {digits:?} and {exponent}");
            return Err(Unreadable::Nonsense { at: object, what });
        }
        Ok(format!("{sign}{}", scientific(&digits, exponent)))
    }

    /// `Thread.__repr__`, Lib/threading.py.
    fn classic_thread(
        &self,
        object: Address,
        class: &TypeInfo,
        attributes: &Attributes,
    ) -> Result<String, Unreadable> {
        let inspector = self.inspector;
        let is_set = |name: &str| -> Result<bool, Unreadable> {
            Ok(self.int_attribute(object, attributes, name)?.sign() != Sign::NoSign)
        };
        let started = attributes.get("_Thread__started");
        let started = started.ok_or_else(|| inspector.missing(object, "_Thread__started"))?;
        let event = inspector.attribute_map(started, &*inspector.type_of(started)?)?;
        let mut status = if self.int_attribute(started, &event, "_Event__flag")?.sign() == Sign::NoSign {
            "initial"
        } else {
            "started"
        }
        .to_owned();
        if is_set("_Thread__stopped")? {
            status = "stopped".to_owned();
        }
        if is_set("_Thread__daemonic")? {
            status += " daemon";
        }
        if let Some(ident) = attributes.get("_Thread__ident")
            && inspector.type_of(ident)?.is_int()
        {
            status += &format!(" {}", inspector.big_int(ident)?);
        }
        let name = self.text_attribute(object, attributes, "_Thread__name")?;
        Ok(format!("<{}({name}, {status})>", class.short_name()))
    }
}
