//! What breakpad, crashpad and minidump-writer copy from `/proc` of a process on Linux.

use super::directory::Streams;
use super::protection::Protected;
use crate::dump::address_space::Mapping;
use crate::process::Module;
use minidump::format::MINIDUMP_STREAM_TYPE;
use std::collections::HashMap;

/// How many lines of `/proc/PID/maps` are read; the kernel allows a process 65,530 mappings unless told otherwise.
const MAX_MAPS: usize = 1 << 20;
/// The largest command line that is kept, in bytes.
const MAX_COMMAND_LINE: usize = 6 << 20;
/// What the kernel puts behind the path of a file that has been unlinked.
pub(super) const DELETED: &str = " (deleted)";

/// A line of `/proc/PID/maps`.
struct Map<'a> {
    start: u64,
    end: u64,
    permissions: &'a [u8],
    file_offset: u64,
    path: &'a [u8],
}

fn maps<'a>(streams: &Streams<'a>) -> Vec<Map<'a>> {
    let text = streams.get(MINIDUMP_STREAM_TYPE::LinuxMaps).unwrap_or_default();
    let mut maps: Vec<_> = text.split(|&byte| byte == b'\n').take(MAX_MAPS).filter_map(map).collect();
    maps.sort_by_key(|map| map.start);
    let mut end = 0;
    maps.retain(|map| {
        let follows = map.start >= end && map.start < map.end;
        end = end.max(map.end);
        follows
    });
    maps
}

/// `7f00000000-7f00001000 r-xp 00001000 fe:01 1234    /usr/lib/libc.so.6`.
fn map(line: &[u8]) -> Option<Map<'_>> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let number = |text: &[u8]| u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok();
    let range = fields.next()?;
    let dash = range.iter().position(|&byte| byte == b'-')?;
    let (start, end) = (number(range.get(..dash)?)?, number(range.get(dash + 1..)?)?);
    let permissions = fields.next()?;
    let file_offset = number(fields.next()?)?;
    let path = fields.nth(2).unwrap_or_default().trim_ascii();
    Some(Map { start, end, permissions, file_offset, path })
}

/// What the process could do with each mapping, ascending.
pub(super) fn protections(streams: &Streams<'_>) -> Vec<Protected> {
    let protected = |map: &Map<'_>| Protected {
        start: map.start,
        end: map.end,
        writable: map.permissions.get(1) == Some(&b'w'),
        executable: map.permissions.get(2) == Some(&b'x'),
    };
    maps(streams).iter().map(protected).collect()
}

/// Where files were mapped, ascending, without overlaps.
pub(super) fn mappings(streams: &Streams<'_>, modules: &[Module]) -> Vec<Mapping> {
    let by_path: HashMap<_, _> =
        modules.iter().enumerate().rev().map(|(index, module)| (module.path.as_bytes(), index)).collect();
    let is_file = |map: &&Map<'_>| map.path.starts_with(b"/");
    let mapping = |map: &Map<'_>| {
        let path = map.path.strip_suffix(DELETED.as_bytes()).unwrap_or(map.path);
        let index = by_path.get(path).copied();
        let module = index.and_then(|index| Some((index, modules.get(index)?)));
        let module = module.filter(|(_, module)| module.base.0 <= map.start);
        Mapping {
            start: map.start,
            end: map.end,
            file_offset: map.file_offset,
            distance: module.map_or(0, |(_, module)| map.start - module.base.0),
            module: module.map(|(index, _)| index),
        }
    };
    maps(streams).iter().filter(is_file).map(mapping).collect()
}

/// The arguments, the program's name first.
pub(super) fn command_line(streams: &Streams<'_>) -> Option<Vec<String>> {
    let bytes = streams.get(MINIDUMP_STREAM_TYPE::LinuxCmdLine)?;
    let bytes = bytes.get(..bytes.len().min(MAX_COMMAND_LINE))?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    Some(bytes.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// A number of `/proc/PID/status`: the first behind `name:`.
pub(super) fn status(streams: &Streams<'_>, name: &str) -> Option<u32> {
    let text = std::str::from_utf8(streams.get(MINIDUMP_STREAM_TYPE::LinuxProcStatus)?).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
