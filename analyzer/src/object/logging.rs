//! Loggers and handlers, Lib/logging/__init__.py.

use super::files::FileName;
use super::stdlib::Attributes;
use super::values::{Decoded, Walk};
use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use num_bigint::{BigInt, Sign};

/// The most loggers between one and the root.
const MAX_PARENTS: usize = 256;

impl Inspector<'_> {
    /// `Logger.getEffectiveLevel`.
    fn effective_level(&self, logger: Address) -> Result<BigInt, Unreadable> {
        let mut logger = logger;
        for _ in 0..MAX_PARENTS {
            let class = self.type_of(logger)?;
            let attributes = self.attribute_map(logger, &class)?;
            let level =
                self.big_int(attributes.get("level").ok_or_else(|| self.missing(logger, "level"))?)?;
            match attributes.get("parent") {
                Some(parent) if level.sign() == Sign::NoSign && !self.is_none(parent)? => logger = parent,
                _ => return Ok(level),
            }
        }
        Err(Unreadable::Nonsense { at: logger, what: "a logger of too many parents".to_owned() })
    }

    /// `getLevelName`: from the table of the module that `function` is of.
    fn level_name(&self, function: Address, level: &BigInt) -> Result<String, Unreadable> {
        let globals = self.non_null(function, self.layout.structs.PyFunctionObject.func_globals)?;
        if let Some(names) = self.dict_get(globals, "_levelToName")? {
            for (key, name) in self.dict_entries(names, usize::MAX)?.pairs {
                if self.type_of(key)?.is_int() && self.big_int(key)? == *level {
                    return self.string(name);
                }
            }
        }
        Ok(format!("Level {level}"))
    }
}

impl Walk<'_, '_> {
    /// The repr that a method of `logging` gives; nothing where it is not known.
    pub(super) fn logging(
        &mut self,
        object: Address,
        class: &TypeInfo,
        method: &str,
        function: Address,
    ) -> Result<Option<Decoded>, Unreadable> {
        let inspector = self.inspector;
        let attributes = inspector.attribute_map(object, class)?;
        let name = class.short_name();
        let own_level = || {
            let level = inspector
                .big_int(attributes.get("level").ok_or_else(|| inspector.missing(object, "level"))?)?;
            inspector.level_name(function, &level)
        };
        let effective = |logger| inspector.level_name(function, &inspector.effective_level(logger)?);
        let repr = match method {
            "Logger.__repr__" => {
                let logger = self.text_attribute(object, &attributes, "name")?;
                format!("<{name} {logger} ({})>", effective(object)?)
            }
            "LoggerAdapter.__repr__" => {
                let logger = attributes.get("logger").ok_or_else(|| inspector.missing(object, "logger"))?;
                let logger_class = inspector.type_of(logger)?;
                if !inspector.attribute_map(logger, &logger_class)?.has_all(&["name", "level", "parent"]) {
                    return Ok(None);
                }
                let logger_attributes = inspector.attribute_map(logger, &logger_class)?;
                let logger_name = self.text_attribute(logger, &logger_attributes, "name")?;
                format!("<{name} {logger_name} ({})>", effective(logger)?)
            }
            "Handler.__repr__" => format!("<{name} ({})>", own_level()?),
            "FileHandler.__repr__" => {
                let path = self.text_attribute(object, &attributes, "baseFilename")?;
                format!("<{name} {path} ({})>", own_level()?)
            }
            "StreamHandler.__repr__" => {
                let Some(stream) = attributes.get("stream") else { return Ok(None) };
                let stream_name = match inspector.file_name(stream)? {
                    FileName::None => String::new(),
                    FileName::Number(number) => format!("{number} "),
                    FileName::Object(text) if inspector.is_str_object(text)? => {
                        match inspector.string(text)? {
                            text if text.is_empty() => text,
                            text => text + " ",
                        }
                    }
                    FileName::Object(number) if inspector.type_of(number)?.name == "int" => {
                        format!("{} ", inspector.big_int(number)?)
                    }
                    _ => return Ok(None),
                };
                format!("<{name} {stream_name}({})>", own_level()?)
            }
            _ => return Ok(None),
        };
        Ok(Some(Decoded::exact(repr)))
    }
}

impl Attributes {
    fn has_all(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.get(name).is_some())
    }
}
