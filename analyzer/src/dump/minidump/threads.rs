//! The threads of the process.

use super::directory::Streams;
use super::system::System;
use crate::addr::Address;
use crate::dump::origin::rfc3339;
use crate::process::NativeThread;
use crate::report::ThreadTimes;
use minidump::MinidumpContext;
use minidump::format::{
    MINIDUMP_LOCATION_DESCRIPTOR, MINIDUMP_STREAM_TYPE, MINIDUMP_THREAD, MINIDUMP_THREAD_INFO,
    MINIDUMP_THREAD_NAME,
};
use scroll::LE;
use std::collections::HashMap;

/// A `FILETIME` counts units of 100 ns.
const FILETIME_PER_MILLISECOND: u64 = 10_000;
/// How many threads are read.
pub(super) const MAX_THREADS: usize = 1 << 16;

/// All threads, in the dump's order.
pub(super) fn read(streams: &Streams<'_>, system: &System) -> Vec<NativeThread> {
    let threads: Vec<MINIDUMP_THREAD> = streams.list(MINIDUMP_STREAM_TYPE::ThreadListStream, MAX_THREADS);
    let names: Vec<MINIDUMP_THREAD_NAME> = streams.list(MINIDUMP_STREAM_TYPE::ThreadNamesStream, MAX_THREADS);
    let infos: Vec<MINIDUMP_THREAD_INFO> =
        streams.extended_list(MINIDUMP_STREAM_TYPE::ThreadInfoListStream, MAX_THREADS);
    let names: HashMap<_, _> = names.iter().map(|name| (name.thread_id, name.thread_name_rva)).collect();
    let infos: HashMap<_, _> = infos.iter().map(|info| (info.thread_id, info)).collect();
    let thread = |raw: &MINIDUMP_THREAD| {
        let (instruction_pointer, stack_pointer) = registers(streams, system, &raw.thread_context);
        NativeThread {
            tid: raw.thread_id,
            name: names.get(&raw.thread_id).and_then(|&rva| streams.string(rva)),
            thread_pointer: known(raw.teb),
            instruction_pointer,
            stack_pointer,
            times: infos.get(&raw.thread_id).map(|info| times(info)),
            start_address: infos.get(&raw.thread_id).and_then(|info| known(info.start_address)),
            ..NativeThread::default()
        }
    };
    threads.iter().map(thread).collect()
}

/// The instruction pointer and the stack pointer of a context. A thread that wrote the dump itself has an empty one.
pub(super) fn registers(
    streams: &Streams<'_>,
    system: &System,
    location: &MINIDUMP_LOCATION_DESCRIPTOR,
) -> (Option<Address>, Option<Address>) {
    let context = system
        .info
        .as_ref()
        .and_then(|info| MinidumpContext::read(streams.at(location), LE, info, None).ok());
    let register = |read: fn(&MinidumpContext) -> u64| context.as_ref().map(read).and_then(known);
    (register(MinidumpContext::get_instruction_pointer), register(MinidumpContext::get_stack_pointer))
}

fn times(info: &MINIDUMP_THREAD_INFO) -> ThreadTimes {
    ThreadTimes {
        started: unix_seconds(info.create_time).map(rfc3339),
        user_ms: info.user_time / FILETIME_PER_MILLISECOND,
        kernel_ms: info.kernel_time / FILETIME_PER_MILLISECOND,
    }
}

/// Seconds since 1970 of a `FILETIME`, which counts from 1601.
fn unix_seconds(time: u64) -> Option<u64> {
    const FROM_1601_TO_1970: u64 = 11_644_473_600;
    (time / (FILETIME_PER_MILLISECOND * 1000)).checked_sub(FROM_1601_TO_1970)
}

fn known(address: u64) -> Option<Address> {
    Some(Address(address)).filter(|address| !address.is_null())
}
