//! The file objects of `io`: the text layer, buffers and raw files of Modules/_io.

use super::values::{Decoded, Walk, attribute};
use super::{Inspector, MethodSource, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::report::Value;

/// Text over a buffer over a raw file, and as many more as are followed.
const MAX_LAYERS: usize = 8;

/// What `getattr(file, 'name')` gives.
pub(super) enum FileName {
    /// An object.
    Object(Address),
    /// A file descriptor.
    Number(i64),
    /// There is none.
    None,
    /// It is given by code of a class that is not known here.
    Unknown,
}

impl Inspector<'_> {
    /// The name of a file object, of whatever layer.
    pub(super) fn file_name(&self, file: Address) -> Result<FileName, Unreadable> {
        let layout = &self.layout.structs;
        let mut file = file;
        for _ in 0..MAX_LAYERS {
            let class = self.type_of(file)?;
            file = match class.name.as_str() {
                "_io.TextIOWrapper" => self.pointer(file, layout.TextIO.buffer)?,
                "_io.BufferedReader" | "_io.BufferedWriter" | "_io.BufferedRandom" => {
                    self.pointer(file, layout.Buffered.raw)?
                }
                "_io.FileIO" | "_io._WindowsConsoleIO" => {
                    return Ok(self.attribute(file, "name")?.map_or(FileName::None, FileName::Object));
                }
                "_io.BytesIO" | "_io.StringIO" => return Ok(FileName::None),
                "socket.SocketIO" => return self.socket_number(file),
                _ => return Ok(FileName::Unknown),
            };
            if file.is_null() {
                // Detached: to ask for the name raises a ValueError, which the reprs take for no name.
                return Ok(FileName::None);
            }
        }
        Ok(FileName::Unknown)
    }

    /// `SocketIO.name`, Lib/socket.py: the file descriptor, -1 when closed.
    fn socket_number(&self, file: Address) -> Result<FileName, Unreadable> {
        if self.attribute(file, "__IOBase_closed")?.is_some() {
            return Ok(FileName::Number(-1));
        }
        let Some(socket) = self.attribute(file, "_sock")? else { return Ok(FileName::Unknown) };
        if self.type_of(socket)?.name != "socket.socket" {
            return Ok(FileName::Unknown);
        }
        Ok(FileName::Number(self.int(socket, self.layout.structs.PySocketSockObject.sock_fd)?))
    }
}

impl Walk<'_, '_> {
    /// ` name=...`, and the value where it is an object; nothing where it is not known.
    fn name_part(&mut self, file: Address) -> Result<Option<(String, Option<Value>)>, Unreadable> {
        Ok(match self.inspector.file_name(file)? {
            FileName::Object(name) => {
                let value = self.inner(file, name);
                Some((format!(" name={}", value.repr), Some(value)))
            }
            FileName::Number(number) => Some((format!(" name={number}"), None)),
            FileName::None => Some((String::new(), None)),
            FileName::Unknown => None,
        })
    }

    /// `textiowrapper_repr`, Modules/_io/textio.c.
    pub(super) fn text_file(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.TextIO;
        let is_usable =
            inspector.uint(object, layout.ok)? != 0 && inspector.uint(object, layout.detached)? == 0;
        if class.name != "_io.TextIOWrapper" || !is_usable {
            return self.opaque(object, class, &native("_io.TextIOWrapper"));
        }
        let Some((mut parts, name)) = self.name_part(object)? else {
            return self.opaque(object, class, &native("_io.TextIOWrapper"));
        };
        let mut values = Vec::from_iter(name);
        if let Some(mode) = inspector.attribute(object, "mode")? {
            let mode = self.inner(object, mode);
            parts += &format!(" mode={}", mode.repr);
            values.push(mode);
        }
        let encoding = inspector.non_null(object, layout.encoding)?;
        let encoding = self.inner(object, encoding);
        let mut out = Decoded::exact(format!("<_io.TextIOWrapper{parts} encoding={}>", encoding.repr));
        values.push(encoding);
        values.iter().for_each(|value| out.absorb(value));
        if !self.lists_no_children() {
            let buffer = inspector.non_null(object, layout.buffer)?;
            out.children.push(attribute("buffer", self.part(object, buffer)));
        }
        Ok(out)
    }

    /// `buffered_repr`, Modules/_io/bufferedio.c.
    pub(super) fn buffered_file(
        &mut self,
        object: Address,
        class: &TypeInfo,
        owner: &str,
    ) -> Result<Decoded, Unreadable> {
        match self.name_part(object)? {
            Some((part, name)) if class.name == owner => {
                let mut out = Decoded::exact(format!("<{}{part}>", class.tp_name));
                name.iter().for_each(|name| out.absorb(name));
                let raw = self.inspector.pointer(object, self.inspector.layout.structs.Buffered.raw)?;
                if !raw.is_null() && !self.lists_no_children() {
                    out.children.push(attribute("raw", self.part(object, raw)));
                }
                Ok(out)
            }
            _ => self.opaque(object, class, &native(owner)),
        }
    }

    /// `fileio_repr`, Modules/_io/fileio.c.
    pub(super) fn raw_file(&mut self, object: Address, class: &TypeInfo) -> Result<Decoded, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.FileIO;
        if class.name != "_io.FileIO" {
            return self.opaque(object, class, &native("_io.FileIO"));
        }
        let number = inspector.int(object, layout.fd)?;
        if number < 0 {
            return Ok(Decoded::exact("<_io.FileIO [closed]>"));
        }
        let is_set = |field| inspector.uint(object, field).map(|value| value != 0);
        let readable = is_set(layout.readable)?;
        // `mode_string`.
        let mode = match (is_set(layout.created)?, is_set(layout.appending)?) {
            (true, _) => {
                if readable {
                    "xb+"
                } else {
                    "xb"
                }
            }
            (_, true) => {
                if readable {
                    "ab+"
                } else {
                    "ab"
                }
            }
            _ if readable => {
                if is_set(layout.writable)? {
                    "rb+"
                } else {
                    "rb"
                }
            }
            _ => "wb",
        };
        let closes = if is_set(layout.closefd)? { "True" } else { "False" };
        let (name, value) = match self.name_part(object)? {
            Some((part, value)) if !part.is_empty() => (part, value),
            _ => (format!(" fd={number}"), None),
        };
        let mut out = Decoded::exact(format!("<_io.FileIO{name} mode='{mode}' closefd={closes}>"));
        value.iter().for_each(|value| out.absorb(value));
        Ok(out)
    }
}

fn native(owner: &str) -> MethodSource {
    MethodSource::Native(owner.to_owned())
}
