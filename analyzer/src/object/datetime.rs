//! The types of `datetime`, as Modules/_datetimemodule.c prints them.

use super::values::{Decoded, Walk};
use super::{TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::Field;

impl Walk<'_, '_> {
    /// `date_repr`.
    pub(super) fn date(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let data = self.date_bytes::<4>(object, self.inspector.layout.structs.PyDateTimeDate.data)?;
        let [high, low, month, day] = data;
        let year = u16::from_be_bytes([high, low]);
        Ok(Decoded::exact(format!("{}({year}, {month}, {day})", class.tp_name)))
    }

    /// `time_repr`.
    pub(super) fn time(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.PyDateTimeTime;
        let clock = self.date_bytes::<6>(object, layout.data)?;
        let start = format!("{}({}", class.tp_name, clock_text(clock));
        self.with_zone(object, start, layout.fold, layout.hastzinfo, layout.tzinfo)
    }

    /// `datetime_repr`.
    pub(super) fn date_time(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.PyDateTimeDateTime;
        let [high, low, month, day, clock @ ..] = self.date_bytes::<10>(object, layout.data)?;
        let year = u16::from_be_bytes([high, low]);
        let start = format!("{}({year}, {month}, {day}, {}", class.tp_name, clock_text(clock));
        self.with_zone(object, start, layout.fold, layout.hastzinfo, layout.tzinfo)
    }

    fn date_bytes<const N: usize>(&self, object: Address, data: Field) -> Result<[u8; N], Unreadable> {
        Ok(self.inspector.memory.array(self.inspector.field_address(object, data)?)?)
    }

    /// `repr_keep_tzinfo` and `append_keyword_fold`.
    fn with_zone(
        &mut self,
        object: Address,
        mut repr: String,
        fold: Field,
        has_zone: Field,
        zone: Field,
    ) -> Result<Decoded, Unreadable> {
        if fold.exists() && self.inspector.uint(object, fold)? != 0 {
            repr.push_str(", fold=1");
        }
        if self.inspector.uint(object, has_zone)? == 0 {
            return Ok(Decoded::exact(repr + ")"));
        }
        let zone = self.inspector.non_null(object, zone)?;
        let zone = self.inner(object, zone);
        let mut out = Decoded::exact(format!("{repr}, tzinfo={})", zone.repr));
        out.absorb(&zone);
        Ok(out)
    }

    /// `delta_repr`.
    pub(super) fn time_delta(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.PyDateTimeDelta;
        let named =
            [("days", layout.days), ("seconds", layout.seconds), ("microseconds", layout.microseconds)];
        let mut values = Vec::new();
        for (name, field) in named {
            values.push((name, self.inspector.int(object, field)?));
        }
        let mut parts: Vec<String> = if self.inspector.layout.time_deltas_name_their_parts() {
            values.retain(|&(_, value)| value != 0);
            values.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
        } else {
            while values.len() > 1 && values.last().is_some_and(|&(_, value)| value == 0) {
                values.pop();
            }
            values.into_iter().map(|(_, value)| value.to_string()).collect()
        };
        if parts.is_empty() {
            parts.push("0".to_owned());
        }
        Ok(Decoded::exact(format!("{}({})", class.tp_name, parts.join(", "))))
    }

    /// `timezone_repr`. The only zone of offset zero without a name is `timezone.utc` (`new_timezone`).
    pub(super) fn time_zone(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.PyDateTimeTimeZone;
        let offset = self.inspector.non_null(object, layout.offset)?;
        let offset = self.inner(object, offset);
        let name = self.inspector.pointer(object, layout.name)?;
        if !name.is_null() {
            let name = self.inner(object, name);
            return Ok(Decoded::exact(format!("{}({}, {})", class.tp_name, offset.repr, name.repr)));
        }
        Ok(Decoded::exact(if offset.repr == "datetime.timedelta(0)" {
            "datetime.timezone.utc".to_owned()
        } else {
            format!("{}({})", class.tp_name, offset.repr)
        }))
    }
}

/// Hour and minute always, second and microsecond where they are not zero.
fn clock_text([hour, minute, second, high, middle, low]: [u8; 6]) -> String {
    let microsecond = u32::from_be_bytes([0, high, middle, low]);
    match (second, microsecond) {
        (0, 0) => format!("{hour}, {minute}"),
        (_, 0) => format!("{hour}, {minute}, {second}"),
        _ => format!("{hour}, {minute}, {second}, {microsecond}"),
    }
}
