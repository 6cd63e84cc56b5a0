"""A reader over the bytes of an ELF core of x86-64 Linux: an example of what a session can read from."""

import struct
from typing import Dict, Iterable, Iterator, List, NamedTuple, Tuple

import pycore

PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_FILE = 1, 0x46494C45
PF_X, PF_W, PF_R = 1, 2, 4


class Segment(NamedTuple):
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class ElfCore:
    """Serves what a plain core file holds; it keeps to the core and opens no other file."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self._bytes = file.read()
        self._segments: List[Segment] = []
        self._notes: List[Tuple[int, bytes]] = []
        (table,) = struct.unpack_from("<Q", self._bytes, 32)
        entry_size, count = struct.unpack_from("<HH", self._bytes, 54)
        for at in range(table, table + count * entry_size, entry_size):
            kind, flags, offset, address, _, file_size, memory_size, _ = struct.unpack_from("<IIQQQQQQ", self._bytes, at)
            if kind == PT_LOAD:
                self._segments.append(Segment(flags, offset, address, file_size, memory_size))
            elif kind == PT_NOTE:
                self._notes += notes(self._bytes[offset : offset + file_size])

    def read_memory(self, address: int, size: int) -> bytes:
        data = b""
        for each in self._segments:
            at = address + len(data) - each.address
            if 0 <= at < each.file_size:
                data += self._bytes[each.offset + at : each.offset + min(each.file_size, at + size - len(data))]
            if len(data) == size:
                return data
        raise pycore.Unreadable()

    def modules(self) -> Iterator[pycore.Module]:
        mapped: Dict[str, Tuple[int, int]] = {}
        for kind, data in self._notes:
            if kind == NT_FILE:
                (count, _) = struct.unpack_from("<QQ", data)
                paths = data[16 + 24 * count :].split(b"\0")
                for index in range(count):
                    start, end, _ = struct.unpack_from("<QQQ", data, 16 + 24 * index)
                    path = paths[index].decode()
                    base, last = mapped.get(path, (start, end))
                    mapped[path] = (min(base, start), max(last, end))
        for path, (base, end) in mapped.items():
            yield pycore.Module(base, end, path)

    def threads(self) -> Iterator[pycore.NativeThread]:
        for kind, data in self._notes:
            if kind == NT_PRSTATUS:
                (tid,) = struct.unpack_from("<I", data, 32)
                registers = struct.unpack_from("<27Q", data, 112)
                yield pycore.NativeThread(tid, registers[21], registers[16], registers[19])

    def ranges(self) -> Iterable[pycore.MemoryRange]:
        for each in self._segments:
            yield pycore.MemoryRange(
                each.address,
                each.memory_size,
                bool(each.flags & PF_R),
                bool(each.flags & PF_W),
                bool(each.flags & PF_X),
            )


def notes(data: bytes) -> Iterator[Tuple[int, bytes]]:
    """The types and contents of the notes in a segment."""
    at = 0
    while at + 12 <= len(data):
        name_size, size, kind = struct.unpack_from("<III", data, at)
        begin = at + 12 + (name_size + 3) // 4 * 4
        yield kind, data[begin : begin + size]
        at = begin + (size + 3) // 4 * 4
