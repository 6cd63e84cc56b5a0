"""Makes a core to measure: THREADS waiting threads, HEAP_MB of small objects, BALLAST_MB of large buffers.

Writes the frames of all threads, innermost first, as JSON to TRUTH and aborts.
"""

import json
import os
import sys
import threading
import time


def chain(depth, number, name, ready, never):
    label = "%s at depth %d" % (name, depth)
    options = {"depth": depth, "number": number, "path": "/srv/%d" % number, "rate": number / 7}
    if depth:
        return chain(depth - 1, number, name, ready, never)
    ready.release()
    never.wait()
    return label, options


def objects(megabytes):
    made = []
    for number in range(megabytes * 2300):
        made.append({"id": number, "name": "object %d" % number, "tags": ["a", str(number)], "price": number * 0.25})
    return made


def frames_of(frame):
    found = []
    while frame:
        found.append([frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno])
        frame = frame.f_back
    return found


def write_truth(path, threads):
    current = sys._current_frames()
    truth = {str(thread.native_id): frames_of(current[thread.ident]) for thread in threads}
    truth[str(threading.main_thread().native_id)] = frames_of(sys._getframe(1))
    with open(path, "w") as file:
        json.dump(truth, file)


def main():
    count, heap, ballast = map(int, sys.argv[1:4])
    path = sys.argv[4]
    threading.stack_size(256 * 1024)
    kept = objects(heap), [b"\x5a" * (1 << 20) for _ in range(ballast)]
    ready, never = threading.Semaphore(0), threading.Event()
    threads = [
        threading.Thread(target=chain, args=(5, number, "worker-%d" % number, ready, never), daemon=True)
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        ready.acquire()
    time.sleep(1)
    write_truth(path, threads); os.abort()  # noqa: E702 (one line, which is the one in the truth)
    return kept


main()
