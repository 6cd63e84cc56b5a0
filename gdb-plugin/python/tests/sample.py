"""What users write, for mypy to check against the types of the installed package."""

import sys
from typing import Iterable, List, Optional

import pycore
from elf_core import ElfCore
from pycore.model import Frame, PythonException


class Remote:
    """The least that a reader needs."""

    def read_memory(self, address: int, size: int) -> bytes:
        raise pycore.Unreadable()

    def modules(self) -> Iterable[pycore.Module]:
        return [pycore.Module(base=0x400000, path="/usr/bin/python3.11")]

    def threads(self) -> List[pycore.NativeThread]:
        return [pycore.NativeThread(tid=1)]

    def ranges(self) -> None:
        return None


def innermost(report: pycore.Report) -> Optional[Frame]:
    thread = report.threads[0]
    return thread.frames[0] if thread.frames else None


def handled(report: pycore.Report) -> List[PythonException]:
    exceptions = report.threads[0].exceptions
    return list(exceptions.handling) if exceptions is not None else []


def main(path: str) -> None:
    report = pycore.analyze(path, locals=True)
    frame = innermost(report)
    if frame is not None and frame.locals:
        print(frame.line, [local.value.repr for local in frame.locals])
    print([error.message for error in handled(report)], report.to_json(indent=2))
    for reader in (Remote(), ElfCore(path)):
        with pycore.Session(reader, machine="x86_64") as session:
            print(session.ask("threads").text)


if __name__ == "__main__":
    main(sys.argv[1])
