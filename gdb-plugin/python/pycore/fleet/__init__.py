"""Triage of dumps in any store by many machines: what `pycore triage` says of them, as if they lay on one.

    python -m pycore.fleet s3://crashes/2026-11-22 --scheduler tcp://dask:8786 -o html=site

Dask distributed hands out the dumps, fsspec fetches each to the disk of a worker, `pycore triage` makes its entry there,
and `pycore triage --entries` groups all entries here. Workers need the same version of pycore, as `pip install
'pycore[fleet]'` has it, and what fsspec needs for the store (s3fs, gcsfs, adlfs, aiohttp). The rest of the package needs
neither Dask nor fsspec.

With a cluster of your own making (dask-jobqueue, dask-kubernetes):

    from pycore import fleet

    with fleet.Journal("night.ndjson") as journal:
        fleet.analyze(client, fleet.find("s3://crashes/2026-11-22"), fleet.Job(), journal)
    # pycore triage --entries night.ndjson
"""

try:
    from .cli import main
    from .driver import Counts, Journal, analyze
    from .jobs import Dump, FleetError, Job
    from .stores import find
except ImportError as error:
    if error.name is not None and error.name.startswith("pycore"):
        raise
    raise ImportError("pycore.fleet needs Dask and fsspec: pip install 'pycore[fleet]' (%s)" % error) from error

__all__ = ["Counts", "Dump", "FleetError", "Job", "Journal", "analyze", "find", "main"]
