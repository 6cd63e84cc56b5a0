"""The commands, settings and convenience functions in gdb. Loaded by `gdb -x "$(pycore plugin gdb)"`."""

import ast

import gdb

import pycore

from . import commands, parameters
from .core import Core
from .gdb_host import Gdb
from .host import CommandError

CORE = Core(Gdb())


def _command(command):
    class Command(gdb.Command):
        __doc__ = command.summary + "\n" + command.doc()

        def __init__(self):
            completer = gdb.COMPLETE_FILENAME if command.names == "files" else -1
            super().__init__(command.name, gdb.COMMAND_STACK, completer)

        def invoke(self, text, _from_tty):
            try:
                commands.run(CORE, command.name, text)
            except (CommandError, gdb.error) as error:
                raise gdb.GdbError(str(error)) from None

    if command.names == "locals":
        # gdb wants the rest of `word` only, which is what it sees of `text` as one word.
        Command.complete = lambda self, text, word: [
            one[len(text) - len(word):] for one in commands.complete(CORE, command.name, text)]
    Command()


def _parameter(parameter):
    kind = {"count": gdb.PARAM_ZUINTEGER, "switch": gdb.PARAM_BOOLEAN, "path": gdb.PARAM_OPTIONAL_FILENAME,
            "paths": gdb.PARAM_STRING_NOESCAPE}[parameter.kind]

    class Parameter(gdb.Parameter):
        __doc__ = parameter.help
        set_doc, show_doc = "Set %s." % parameter.summary, "Show %s." % parameter.summary

        def __init__(self):
            super().__init__("pycore " + parameter.name, gdb.COMMAND_DATA, kind)
            self.value = parameter.default

        def get_set_string(self):
            return ""

        def get_show_string(self, _value):
            return parameters.sentence(parameter, self.value)

    Parameter()


class _Set(gdb.Command):
    """Set how pycore shows Python, and what py-exec may do."""

    def __init__(self):
        super().__init__("set pycore", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class _Show(gdb.Command):
    """Show how pycore shows Python, and what py-exec may do."""

    def __init__(self):
        super().__init__("show pycore", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)

    def invoke(self, _text, _from_tty):
        for parameter in parameters.PARAMETERS:
            gdb.execute("show pycore " + parameter.name)


def _object(value):
    """The object that a pointer points at, as py-print has it."""
    return commands.value(CORE, "0x%x" % (int(value) & 0xFFFFFFFFFFFFFFFF), depth=0, colour=False).data["value"]


def _text_of(value):
    found = _object(value)
    is_text = found["type"] in ("str", "unicode") and not found.get("note")
    return ast.literal_eval(found["repr"]) if is_text and not found.get("truncated") else found["repr"]


def _local(name):
    return int(commands.value(CORE, name.string(), depth=0, colour=False).data["address"], 16)


FUNCTIONS = {
    "py_str": (_text_of, "$py_str(OBJECT): the text of a Python str; of any other object its repr."),
    "py_repr": (lambda value: _object(value)["repr"],
                "$py_repr(OBJECT): the repr of a Python object, as far as no code has to be run for it."),
    "py_type": (lambda value: _object(value)["type"],
                "$py_type(OBJECT): the name of a Python object's type, with its module unless that is builtins.\n"
                "For conditions: break my_function if $_streq($py_type($rdi), \"dict\")"),
    "py_local": (_local, "$py_local(\"NAME\"): the address of what a name, or a path from one, leads to from the selected\n"
                         "Python frame, as py-print takes it: x/4gx $py_local(\"self.buffer\")"),
}


def _function(name, run, doc):
    class Function(gdb.Function):
        __doc__ = doc

        def invoke(self, value):
            try:
                return run(value)
            except (CommandError, pycore.PycoreError) as error:
                raise gdb.GdbError(str(error)) from None

    Function(name)


class _Topic(gdb.Command):
    def __init__(self):
        super().__init__("pycore", gdb.COMMAND_USER, gdb.COMPLETE_NONE)

    def invoke(self, _text, _from_tty):
        gdb.execute("help pycore")


_Topic.__doc__ = commands.TOPIC
_Topic()
_Set()
_Show()
for one in parameters.PARAMETERS:
    _parameter(one)
for one in commands.COMMANDS:
    _command(one)
for called, (body, text) in FUNCTIONS.items():
    _function(called, body, text)
