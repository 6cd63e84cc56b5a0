"""What is typed behind a command, taken apart."""

import re
import shlex
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .host import CommandError

LIMITS = {"depth": int, "max-items": int, "max-string": int}


class Spec(NamedTuple):
    """What a command may be given."""

    words: Tuple[str, ...] = ()
    """The names of what is told by place; one that ends in `...` takes all of the rest as it is typed."""
    needed: int = 0
    """How many of these there must be."""
    options: Dict[str, Any] = {}
    """By name without dashes: `int`, `str`, `bool` (takes no value), or the tuple of the words that it may be."""

    def usage(self, name: str) -> str:
        """As help prints it."""
        words = [word if at < self.needed else "[%s]" % word for at, word in enumerate(self.words)]
        return " ".join([name] + words + ["[%s]" % _shown(*one) for one in self.options.items()])


def _shown(name: str, kind: Any) -> str:
    value = {int: " N", str: " TEXT", bool: ""}.get(kind) if not isinstance(kind, tuple) else " " + "|".join(kind)
    return "--%s%s" % (name, value)


def parse(name: str, spec: Spec, text: str) -> Dict[str, Any]:
    """The values by name, with `_` for `-`; what was not given is not there. Raises CommandError."""
    if spec.words and spec.words[-1].endswith("..."):
        rest, found = _options_around(name, spec, text.strip())
        words = [rest] if rest else []
    else:
        words, found = _words(name, spec, text)
    if len(words) < spec.needed:
        raise CommandError("%s needs %s. Usage: %s" % (name, spec.words[len(words)].strip("."), spec.usage(name)))
    if len(words) > len(spec.words):
        raise CommandError("%s: what is \"%s\"? Usage: %s" % (name, words[len(spec.words)], spec.usage(name)))
    found.update(zip((word.strip(".").lower() for word in spec.words), words))
    return found


def _words(name: str, spec: Spec, text: str) -> Tuple[List[str], Dict[str, Any]]:
    try:
        typed = shlex.split(text)
    except ValueError as error:
        raise CommandError("%s: %s" % (name, error)) from None
    words, found = [], {}
    while typed:
        word = typed.pop(0)
        if word.startswith("--"):
            option, _, value = word[2:].partition("=")
            if not value and spec.options.get(option, bool) is not bool:
                value = typed.pop(0) if typed else None
            found.update(_option(name, spec, option, value))
        else:
            words.append(word)
    return words, found


_LEADING = re.compile(r"^--([a-z-]+)(?:[= ]\s*(\S+))?(?:\s+|$)")
_TRAILING = re.compile(r"\s--([a-z-]+)(?:[= ]\s*(\S+))?$")


def _options_around(name: str, spec: Spec, text: str) -> Tuple[str, Dict[str, Any]]:
    """Options before and behind an expression, which is left as it was typed: quotes and dashes in it are its own."""
    found: Dict[str, Any] = {}
    while True:
        match = _LEADING.match(text)
        if match is None:
            break
        takes_value = spec.options.get(match[1], str) is not bool
        found.update(_option(name, spec, match[1], match[2] if takes_value else None))
        text = text[match.end() if takes_value or match[2] is None else match.start(2):]
    while True:
        match = _TRAILING.search(text)
        if match is None or match[1] not in spec.options:
            return text.strip(), found
        found.update(_option(name, spec, match[1], match[2]))
        text = text[:match.start()].rstrip()


def _option(name: str, spec: Spec, option: str, value: Optional[str]) -> Dict[str, Any]:
    if option not in spec.options:
        raise CommandError("%s has no option --%s. Usage: %s" % (name, option, spec.usage(name)))
    kind = spec.options[option]
    key = option.replace("-", "_")
    if kind is bool:
        return {key: True}
    if not value:
        raise CommandError("%s: --%s needs a value." % (name, option))
    if kind is int:
        if not value.isdigit():
            raise CommandError("%s: --%s needs a number, not \"%s\"." % (name, option, value))
        return {key: int(value)}
    if isinstance(kind, tuple) and value not in kind:
        raise CommandError("%s: --%s is one of %s." % (name, option, ", ".join(kind)))
    return {key: value}
