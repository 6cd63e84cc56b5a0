"""The commands of gdb and lldb: `core` and what it needs know neither, `gdb_front` and `lldb_front` are the two doors."""
