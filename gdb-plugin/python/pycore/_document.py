"""What all objects of a report have in common."""

import dataclasses
import json
import typing
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Tuple, Type, TypeVar

from ._errors import PycoreError

D = TypeVar("D", bound="Document")


@dataclass(frozen=True)
class Document:
    """An object of a report, and the JSON that it was made from."""

    json: Mapping[str, Any] = field(repr=False, compare=False)
    """The JSON object, with fields that this version of the package may know nothing of. Not to be changed."""

    def to_json(self, **options: Any) -> str:
        """The same as text; `options` are those of `json.dumps`."""
        options.setdefault("ensure_ascii", False)
        return json.dumps(self.json, **options)

    @classmethod
    def from_json(cls: Type[D], document: Mapping[str, Any]) -> D:
        """Makes an object of a parsed JSON object. Fields that are not known are passed over.

        Raises PycoreError where a field that must be there is missing.
        """
        values: Dict[str, Any] = {"json": document}
        for name, required, read in _plan(cls):
            value = document.get(name)
            if value is not None:
                values[name] = read(value)
            elif required:
                if name not in document:
                    raise PycoreError("not a %s of a report: it has no `%s`" % (cls.__name__, name))
                values[name] = None
        return cls(**values)


# Of each field of a class: its name, whether it must be there, and what reads its value.
_Plan = List[Tuple[str, bool, Callable[[Any], Any]]]
_plans: Dict[Type[Document], _Plan] = {}


def _plan(cls: Type[Document]) -> _Plan:
    if cls not in _plans:
        hints = typing.get_type_hints(cls)
        _plans[cls] = [
            (each.name, each.default is dataclasses.MISSING, _reader(hints[each.name]))
            for each in dataclasses.fields(cls)
            if each.name != "json"
        ]
    return _plans[cls]


def _reader(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, type) and issubclass(hint, Document):
        return hint.from_json
    parts = [part for part in typing.get_args(hint) if part not in (type(None), ...)]
    if not parts:
        return _as_it_is
    read = _reader(parts[0])
    if typing.get_origin(hint) is not tuple:
        return read
    return lambda items: tuple(map(read, items))


def _as_it_is(value: Any) -> Any:
    return value
