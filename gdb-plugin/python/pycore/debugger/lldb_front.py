"""The commands and settings in lldb. Loaded by `command script import "$(pycore plugin lldb)"`."""

import lldb

from . import commands, parameters
from .core import Core
from .host import CommandError
from .lldb_host import Lldb

HELP_SET = """Set how pycore shows Python, and what py-exec may do: py-set NAME VALUE. py-show lists the names."""
HELP_SHOW = """Show how pycore shows Python, and what py-exec may do: all settings, or that of a NAME."""


class _Command:
    """What lldb wants a command to be."""

    core = None
    words = ""
    summary = ""

    def __init__(self, debugger, _internal):
        if _Command.core is None:
            _Command.core = Core(Lldb(debugger))

    def __call__(self, debugger, text, _context, result):
        host = self.core.host
        host.begin(debugger)
        try:
            self.run(text)
            result.PutCString("".join(host.out).rstrip("\n"))
            result.SetStatus(lldb.eReturnStatusSuccessFinishResult)
        except CommandError as error:
            result.SetError(str(error))

    def get_short_help(self):
        return self.summary

    def get_long_help(self):
        return self.words

    def run(self, text):
        raise NotImplementedError


class PySet(_Command):
    summary, words = HELP_SET.split(":")[0] + ".", HELP_SET

    def run(self, text):
        name, _, value = text.strip().partition(" ")
        parameter = _parameter(name)
        self.core.host.settings[name] = parameters.parse(parameter, value)


class PyShow(_Command):
    summary, words = HELP_SHOW.split(":")[0] + ".", HELP_SHOW

    def run(self, text):
        wanted = [_parameter(text.strip())] if text.strip() else parameters.PARAMETERS
        for one in wanted:
            self.core.host.write(parameters.sentence(one, self.core.host.settings[one.name]) + "\n")


def _parameter(name):
    if name not in parameters.BY_NAME:
        raise CommandError("No setting \"%s\". There are: %s." % (name, ", ".join(parameters.BY_NAME)))
    return parameters.BY_NAME[name]


def _class(command):
    """The class of a command; lldb finds it by its name in this module."""
    name = "".join(part.capitalize() for part in command.name.split("-"))
    globals()[name] = type(name, (_Command,), {
        "summary": command.summary,
        "words": command.doc().replace("set pycore ", "py-set "),
        "run": lambda self, text: commands.run(self.core, command.name, text),
    })
    return name


def __lldb_init_module(debugger, internal):
    """Gives the commands to a debugger; `internal` are the names that its script interpreter knows."""
    internal["pycore_lldb_front"] = __import__(__name__, fromlist=["_class"])
    interpreter = debugger.GetCommandInterpreter()
    classes = {"py-set": "PySet", "py-show": "PyShow"}
    classes.update((command.name, _class(command)) for command in commands.COMMANDS)
    for name, found in classes.items():
        if interpreter.CommandExists(name):
            debugger.HandleCommand("command script delete " + name)
        debugger.HandleCommand("command script add -c pycore_lldb_front.%s %s" % (found, name))
