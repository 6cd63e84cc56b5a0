#!/usr/bin/env python3
"""Triage of dumps in any store by many machines, from the source tree: `pycore.fleet` of the Python package, which
scripts/FLEET.md explains. Needs Dask and fsspec; scripts/get-fleet gets them into fixtures/.work/venv/fleet.
"""

import os
import sys

package = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../gdb-plugin/python"))
sys.path.insert(0, package)
# Also for worker processes.
os.environ["PYTHONPATH"] = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])

if __name__ == "__main__":
    try:
        from pycore import fleet
    except ImportError as error:
        print("fleet_triage: error: %s" % error, file=sys.stderr)
        sys.exit(2)
    sys.exit(fleet.main())
