"""The settings: gdb's `set pycore NAME VALUE`, lldb's `py-set NAME VALUE`."""

import os
from typing import Any, Dict, List, NamedTuple, Optional

from .host import CommandError


class Parameter(NamedTuple):
    """A setting."""

    name: str
    kind: str
    """`count` (a number from 0 on), `switch` (on or off), `path` or `paths` (separated by colons)."""
    default: Any
    summary: str
    """What it sets, as the rest of "Set ..."."""
    help: str


PARAMETERS = [
    Parameter("depth", "count", 3, "how many levels of values are shown",
              "With 0 an object's repr alone is printed; each further level adds the items and attributes within.\n"
              "A command's --depth goes before it."),
    Parameter("max-items", "count", 30, "how many items of a container are shown",
              "What is left out is marked with `...`. A command's --max-items goes before it."),
    Parameter("max-string", "count", 200, "how many characters of a string are shown",
              "A command's --max-string goes before it."),
    Parameter("source-root", "paths", "", "where source files are looked for",
              "Folders, separated by colons. A file that Python knows as /srv/app/main.py is looked for there, then as\n"
              "main.py, app/main.py and so on below each of these."),
    Parameter("redact", "switch", False, "whether secrets are hidden",
              "Values of variables, attributes and keys whose names look secret (password, token, api_key, ...) and\n"
              "strings shaped like keys are then shown as <redacted>."),
    Parameter("layout", "path", "", "the layout table of your own to read the interpreter with",
              "For a patched CPython: a table that `pycore layout extract` made. Empty: the built-in tables."),
    Parameter("allow-exec", "switch", False, "whether py-exec may run code in the process",
              "Off at first, since py-exec changes the process that is looked at. See `help py-exec`."),
    Parameter("exec-timeout", "count", 5, "how many seconds py-exec waits",
              "How long code that py-exec runs may take, and from Python 3.14 on also how long it waits for a thread to\n"
              "come to a place where code can be run."),
]

BY_NAME: Dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS}
_SWITCH = {"on": True, "1": True, "yes": True, "enable": True, "off": False, "0": False, "no": False, "disable": False}


def parse(parameter: Parameter, text: str) -> Any:
    """A value as a user types it. Raises CommandError."""
    text = text.strip()
    if parameter.kind == "switch":
        value = _SWITCH.get(text.lower() or "on")
        if value is None:
            raise CommandError('"on" or "off" expected.')
        return value
    if parameter.kind == "count":
        if not text.isdigit():
            raise CommandError("%s needs a number from 0 on." % parameter.name)
        return int(text)
    return text


def show(parameter: Parameter, value: Any) -> str:
    """The value as a user types it."""
    return ("off", "on")[bool(value)] if parameter.kind == "switch" else str(value if value is not None else "")


def sentence(parameter: Parameter, value: Any) -> str:
    """What is set, as a line."""
    return "%s is %s: %s." % (parameter.name, show(parameter, value) or "not set", parameter.summary)


def paths(value: Optional[str]) -> List[str]:
    """The folders of a setting of that kind."""
    return [os.path.expanduser(one) for one in (value or "").split(":") if one]
