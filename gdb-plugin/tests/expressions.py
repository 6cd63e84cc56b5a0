# -*- coding: utf-8 -*-
"""Says what expressions are in its two innermost frames, then waits to be asked by somebody else. For 2.7 and 3.x."""

import json
import sys
import time
from collections import OrderedDict, defaultdict, deque, namedtuple


class Base(object):
    kind = "base"
    shared = ["a"]


class Slots(object):
    __slots__ = ("one", "two")


class Sub(Slots, Base):
    def __init__(self):
        self.one = 1
        self.kind = "own"
        self.own = {"db": {"host": "h", 3: "three", (1, "x"): "t", None: "n", 1.5: "f", b"by": "bytes", True: "true"}}


class Classic:
    attr = 5

    def __init__(self):
        self.x = [1, 2]


Point = namedtuple("Point", "left right")
glob = 10
try:
    raise ValueError("bad", 7)
except ValueError as error:
    kept = error

IN_INNER = ["local", "param", "free", "cell", "glob", "sys.maxsize", "kept.args", "kept.args[1]", "Base.kind",
            "Base.shared[0]", "Sub.kind", "Point._fields", "len", "nothing", "sys.nothing"]
IN_OUTER = ["obj.kind", "obj.one", "obj.two", "obj.shared", "obj.own", "obj.own['db']['host']", "obj.own['db'][3]",
            "obj.own['db'][(1, 'x')]", "obj.own['db'][None]", "obj.own['db'][1.5]", "obj.own['db'][b'by']",
            "obj.own['db'][True]", "obj.own['db'][1]", "obj.own['db']['none']", "obj.__class__", "old.x[-1]",
            "old.attr", "point.left", "point.right", "point[1]", "queue[-1]", "queue[0]", "queue[3]", "ordered['a']",
            "counts['q']", "text[1]", "text[-9]", "raw[0]", "many[-1]", "many[250]", "many[300]", "lots[150]",
            "nested[0][1][1]['k']", "arg", "default"]


def truth(expressions, names):
    """The repr of each; None for what is not there."""
    found = {}
    for expression in expressions:
        try:
            found[expression] = repr(eval(expression, globals(), names))
        except (AttributeError, LookupError, NameError):
            found[expression] = None
    return found


def outer(arg, default=3):
    free = "free" + str(arg)
    cell = [arg]
    obj, old, point = Sub(), Classic(), Point(1, "r")
    queue, ordered, counts = deque([1, 2, 3], 5), OrderedDict([("z", 1), ("a", 2)]), defaultdict(int, q=4)
    text, raw = u"h\xe9llo", b"raw"
    many, lots = list(range(300)), dict((i, -i) for i in range(200))
    nested = [[1, (2, {"k": "v"})]]

    def inner(param, names):
        local = free + "!"
        cell.append(1)
        print(json.dumps([truth(IN_INNER, locals()), truth(IN_OUTER, names)]))
        sys.stdout.flush()
        time.sleep(1000)

    inner("p", locals())


outer(1)
