//! The place of the gdb and lldb plugin: a C ABI on the `pycore` library and one Python core with two front ends. Nothing is built here yet.
