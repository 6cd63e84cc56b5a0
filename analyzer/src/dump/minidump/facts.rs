//! What else the dump tells: comments, assertions, handles, unloaded modules.

use super::directory::{Streams, utf16};
use crate::addr::Address;
use crate::report::{Assertion, UnloadedModule};
use minidump::format::{
    AssertionType, MINIDUMP_ASSERTION_INFO, MINIDUMP_HANDLE_DATA_STREAM, MINIDUMP_STREAM_TYPE,
    MINIDUMP_UNLOADED_MODULE,
};
use scroll::{LE, Pread};

/// How many unloaded modules are listed; Windows remembers 64.
const MAX_UNLOADED: usize = 1 << 12;
/// The longest comment that is kept, in bytes.
const MAX_COMMENT: usize = 1 << 16;

/// What the writer of the dump noted.
pub(super) fn comments(streams: &Streams<'_>) -> Vec<String> {
    let stream = |kind| {
        let bytes: &[u8] = streams.get(kind)?;
        bytes.get(..bytes.len().min(MAX_COMMENT))
    };
    let narrow = stream(MINIDUMP_STREAM_TYPE::CommentStreamA).map(|bytes| {
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    });
    let wide = stream(MINIDUMP_STREAM_TYPE::CommentStreamW).map(utf16);
    let comments = narrow.into_iter().chain(wide).map(|comment| comment.trim().to_owned());
    comments.filter(|comment| !comment.is_empty()).collect()
}

/// What failed, where breakpad noted that.
pub(super) fn assertion(streams: &Streams<'_>) -> Option<Assertion> {
    let stream = streams.get(MINIDUMP_STREAM_TYPE::AssertionInfoStream)?;
    let raw: MINIDUMP_ASSERTION_INFO = stream.pread_with(0, LE).ok()?;
    let text = |units: &[u16]| {
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        Some(utf16(&bytes)).filter(|text| !text.is_empty())
    };
    let is = |kind: AssertionType| raw._type == kind as u32;
    let kind = if is(AssertionType::InvalidParameter) {
        "invalid parameter"
    } else if is(AssertionType::PureVirtualCall) {
        "pure virtual call"
    } else {
        "assertion"
    };
    Some(Assertion {
        kind: kind.to_owned(),
        expression: text(&raw.expression),
        function: text(&raw.function),
        file: text(&raw.file),
        line: Some(raw.line).filter(|&line| line != 0),
    })
}

/// How many handles the process had open.
pub(super) fn handles(streams: &Streams<'_>) -> Option<u32> {
    let stream = streams.get(MINIDUMP_STREAM_TYPE::HandleDataStream)?;
    let header: MINIDUMP_HANDLE_DATA_STREAM = stream.pread_with(0, LE).ok()?;
    Some(header.number_of_descriptors)
}

/// Modules that were unloaded before.
pub(super) fn unloaded_modules(streams: &Streams<'_>) -> Vec<UnloadedModule> {
    let raw: Vec<MINIDUMP_UNLOADED_MODULE> =
        streams.extended_list(MINIDUMP_STREAM_TYPE::UnloadedModuleListStream, MAX_UNLOADED);
    let module = |raw: &MINIDUMP_UNLOADED_MODULE| UnloadedModule {
        path: streams.string(raw.module_name_rva.into()).unwrap_or_default(),
        base: Address(raw.base_of_image),
        end: Address(raw.base_of_image.saturating_add(raw.size_of_image.into())),
        timestamp: raw.time_date_stamp,
    };
    raw.iter().map(module).collect()
}
