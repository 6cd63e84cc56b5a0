//! Addresses of Lib/ipaddress.py, and sockets of Lib/socket.py.

use super::stdlib::Attributes;
use super::values::{Decoded, Walk};
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::Field;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The most digits of a length of a prefix.
const MAX_PREFIX: i64 = 128;

impl Inspector<'_> {
    /// `str` of an address of one of the classes of `ipaddress` or of a subclass of them.
    fn address_text(&self, object: Address, class: &TypeInfo) -> Result<Option<String>, Unreadable> {
        let attributes = self.attribute_map(object, class)?;
        let Some(number) = attributes.get("_ip") else { return Ok(None) };
        let number = self.big_int(number)?;
        let mut text = match self.ip_version(class)? {
            Some(4) => match u32::try_from(number) {
                Ok(number) => Ipv4Addr::from(number).to_string(),
                Err(_) => return Ok(None),
            },
            Some(6) => match u128::try_from(number) {
                Ok(number) => ipv6_text(number, self.layout.mapped_addresses_are_dotted()),
                Err(_) => return Ok(None),
            },
            _ => return Ok(None),
        };
        if let Some(scope) = attributes.get("_scope_id")
            && !self.is_none(scope)?
        {
            text = format!("{text}%{}", self.string(scope)?);
        }
        Ok(Some(text))
    }

    /// 4 or 6, by the class that it derives from.
    fn ip_version(&self, class: &TypeInfo) -> Result<Option<u8>, Unreadable> {
        for &base in &class.mro {
            match self.type_info(base)?.name.as_str() {
                "ipaddress.IPv4Address" => return Ok(Some(4)),
                "ipaddress.IPv6Address" => return Ok(Some(6)),
                _ => {}
            }
        }
        Ok(None)
    }

    fn prefix_length(&self, attributes: &Attributes) -> Result<Option<i64>, Unreadable> {
        let Some(length) = attributes.get("_prefixlen") else { return Ok(None) };
        Ok(Some(self.small_int(length)?).filter(|length| (0..=MAX_PREFIX).contains(length)))
    }

    /// `str` of an integer of a socket that Lib/socket.py gives out as a member of an enum: by the class that is a
    /// global of the module which `function` is of.
    fn socket_constant(
        &self,
        function: Address,
        enumeration: &str,
        object: Address,
        field: Field,
    ) -> Result<String, Unreadable> {
        let value = self.int(object, field)?;
        if self.layout.int_enums_are_numbers() {
            return Ok(value.to_string());
        }
        let globals = self.non_null(function, self.layout.structs.PyFunctionObject.func_globals)?;
        let class = self.dict_get(globals, enumeration)?.map(|class| self.type_info(class)).transpose()?;
        let members =
            class.map(|class| self.class_attribute(&class, "_value2member_map_")).transpose()?.flatten();
        let Some(members) = members else { return Ok(value.to_string()) };
        for (key, member) in self.dict_entries(members, usize::MAX)?.pairs {
            if self.small_int(key)? == value
                && let Some(name) = self.attribute(member, "_name_")?
            {
                return Ok(format!("{enumeration}.{}", self.string(name)?));
            }
        }
        Ok(value.to_string())
    }
}

impl Walk<'_, '_> {
    /// `_BaseAddress.__repr__` and `_BaseNetwork.__repr__`; nothing where it is not known.
    pub(super) fn network_address(
        &mut self,
        object: Address,
        class: &TypeInfo,
        method: &str,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let attributes = inspector.attribute_map(object, class)?;
        let text = match method {
            "_BaseAddress.__repr__" => {
                let Some(text) = inspector.address_text(object, class)? else { return Ok(None) };
                match attributes.get("network") {
                    // An interface.
                    Some(network) => {
                        let network_class = inspector.type_of(network)?;
                        let network = inspector.attribute_map(network, &network_class)?;
                        let Some(length) = inspector.prefix_length(&network)? else { return Ok(None) };
                        format!("{text}/{length}")
                    }
                    None => text,
                }
            }
            "_BaseNetwork.__repr__" => {
                let Some(address) = attributes.get("network_address") else { return Ok(None) };
                let address_class = inspector.type_of(address)?;
                let text = inspector.address_text(address, &address_class)?;
                let (Some(text), Some(length)) = (text, inspector.prefix_length(&attributes)?) else {
                    return Ok(None);
                };
                format!("{text}/{length}")
            }
            _ => return Ok(None),
        };
        Ok(Some(Decoded::exact(format!("{}({})", class.short_name(), inspector.repr_of_text(&text)))))
    }

    /// `socket.__repr__`, Lib/socket.py. The addresses of an open socket were known to the system only; of it a note
    /// has what the object holds.
    pub(super) fn socket(
        &mut self,
        object: Address,
        class: &TypeInfo,
        function: Address,
    ) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PySocketSockObject;
        let attributes = inspector.attribute_map(object, class)?;
        let is_closed = match attributes.get("_closed") {
            Some(closed) => inspector.small_int(closed)? != 0,
            None => false,
        };
        let facts = format!(
            "fd={}, family={}, type={}, proto={}",
            inspector.int(object, layout.sock_fd)?,
            inspector.socket_constant(function, "AddressFamily", object, layout.sock_family)?,
            inspector.socket_constant(function, "SocketKind", object, layout.sock_type)?,
            inspector.int(object, layout.sock_proto)?,
        );
        if is_closed {
            let repr = format!("<{}.{} [closed] {facts}>", class.module, class.qualname);
            return Ok(Decoded::exact(repr));
        }
        let note = format!("{facts}; its addresses were known to the system only");
        Ok(Decoded::noted(
            format!("<{} object at {object}>", class.name, object = self.inspector.shown(object)),
            note,
        ))
    }
}

/// `_BaseV6._string_from_ip_int`: in eight groups, the first of the longest runs of zeros left out.
fn ipv6_text(number: u128, mapped_is_dotted: bool) -> String {
    let address = Ipv6Addr::from(number);
    if let Some(mapped) = address.to_ipv4_mapped() {
        let [high, low] = [number >> 16 & 0xffff, number & 0xffff];
        return if mapped_is_dotted {
            format!("::ffff:{mapped}")
        } else {
            format!("::ffff:{high:x}:{low:x}")
        };
    }
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::ipv6_text;

    #[test]
    fn addresses_are_shortened_as_ipaddress_does() {
        assert_eq!(ipv6_text(0, false), "::");
        assert_eq!(ipv6_text(1, false), "::1");
        assert_eq!(ipv6_text(0x2001_0db8_0000_0000_0001_0000_0000_0001, false), "2001:db8::1:0:0:1");
        assert_eq!(ipv6_text(0x0001_0000_0002_0003_0004_0005_0006_0007, false), "1:0:2:3:4:5:6:7");
        assert_eq!(ipv6_text(0xffff_0102_0304, false), "::ffff:102:304");
        assert_eq!(ipv6_text(0xffff_0102_0304, true), "::ffff:1.2.3.4");
        assert_eq!(ipv6_text(0xffff_0000_0001, false), "::ffff:0:1");
        assert_eq!(ipv6_text(0x0102_0304, false), "::102:304");
    }
}
