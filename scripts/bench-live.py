"""What `scripts/bench-live` looks at: threads with deep stacks, and one that notes how long the process stands still.

usage: bench-live.py THREADS DEPTH LIBRARY FILE
"""

import ctypes
import sys
import threading
import time

THREADS, DEPTH = map(int, sys.argv[1:3])


def descend(depth, names):
    if depth:
        return descend(depth - 1, {"depth": depth, "names": names["names"][:3]})
    while True:
        time.sleep(3600)


for number in range(THREADS):
    names = {"names": ["thread", "number", str(number)]}
    threading.Thread(target=descend, args=(DEPTH, names), daemon=True).start()
threading.Thread(target=ctypes.CDLL(sys.argv[3]).watch, args=(sys.argv[4].encode(),), daemon=True).start()
time.sleep(1)
print("ready", flush=True)
time.sleep(3600)
