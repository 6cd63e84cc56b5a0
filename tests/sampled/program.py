"""What tests/sample.rs samples: programs that know what they did. From Python 2.7 on.

    program.py MODE SECONDS [FILE]

FILE gets the truth as JSON, where the mode has one.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import zlib

cpu_time = getattr(time, "process_time", None) or time.clock


told_to_end = []


def burn(units):
    total = 0
    for number in range(units * 1000):
        total += number & 7
    return total


def fifty(units):
    total = 0
    for number in range(units * 1000):
        total += number & 7
    return total


def thirty(units):
    total = 0
    for number in range(units * 1000):
        total += number & 7
    return total


def twenty(units):
    total = 0
    for number in range(units * 1000):
        total += number & 7
    return total


def until(seconds):
    """True until the time is over, or until SIGTERM."""
    end = time.time() + seconds
    while time.time() < end and not told_to_end:
        yield True


def shares(seconds, path):
    """The processor time that each of three functions took."""
    spent = {"fifty": 0.0, "thirty": 0.0, "twenty": 0.0}
    parts = ((fifty, 5), (thirty, 3), (twenty, 2))
    for _ in until(seconds):
        for function, units in parts:
            before = cpu_time()
            function(units)
            spent[function.__name__] += cpu_time() - before
    if path:
        with open(path, "w") as out:
            json.dump(spent, out)


def shared(seconds, path, threads):
    """The same in several threads, below some calls."""
    spent = dict.fromkeys(("fifty", "thirty", "twenty"), 0.0)
    thread_time = getattr(time, "thread_time", cpu_time)
    lock = threading.Lock()

    def deep(depth):
        if depth:
            return deep(depth - 1)
        own = dict.fromkeys(spent, 0.0)
        for _ in until(seconds):
            for function, units in ((fifty, 5), (thirty, 3), (twenty, 2)):
                before = thread_time()
                function(units)
                own[function.__name__] += thread_time() - before
        with lock:
            for name in own:
                spent[name] += own[name]

    started = [threading.Thread(target=deep, args=(10,)) for _ in range(int(threads))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    with open(path, "w") as out:
        json.dump(spent, out)


def sleeper(seconds):
    time.sleep(seconds)


def compressor(seconds):
    """Runs almost always without the GIL."""
    data = os.urandom(1 << 20) * 4
    for _ in until(seconds):
        zlib.compress(data, 9)


def worker(seconds):
    for _ in until(seconds):
        burn(1)


def threads(seconds, _):
    started = [
        threading.Thread(target=target, args=(seconds,), name=target.__name__)
        for target in (sleeper, compressor, worker)
    ]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def brief(units):
    burn(units)


def churn(seconds, _):
    """Threads come and go."""
    for _ in until(seconds):
        started = [threading.Thread(target=brief, args=(random.randint(1, 20),)) for _ in range(5)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()


GENERATED = """
def outer_%(n)d(burn):
    return inner_%(n)d(burn)
def inner_%(n)d(burn):
    total = 0
    for number in range(%(rounds)d):
        total += number & 7
    return total
"""


def generated(seconds, _):
    """Code that is made, run once and freed: the next one lies where it lay."""
    n = 100000
    for _ in until(seconds):
        n += 1
        names = {}
        source = GENERATED % {"n": n, "rounds": random.randint(100, 8000)}
        exec(compile(source, "generated-%d.py" % n, "exec"), names)
        names["outer_%d" % n](burn)


def death(seconds, _):
    """Ends without a word."""
    for _ in until(seconds):
        burn(1)
    os._exit(7)


def many(seconds, _):
    """Threads deep in calls, which take the GIL in turns."""

    def deep(depth, seconds):
        if depth:
            return deep(depth - 1, seconds)
        for _ in until(seconds):
            burn(1)

    started = [threading.Thread(target=deep, args=(20, seconds)) for _ in range(8)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.append(True))
    mode, duration = sys.argv[1], float(sys.argv[2])
    rest = sys.argv[3:]
    globals()[mode](duration, *(rest or [None]))
