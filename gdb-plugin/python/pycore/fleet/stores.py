"""Finding files in stores."""

import contextlib
import datetime
import glob
import os
import re
import stat
from typing import Any, Dict, Iterator, Mapping, Optional, Set, Tuple
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import fsspec

from .jobs import Dump, FleetError

WEB = ("http", "https")
"""Protocols whose paths are URLs."""
_MAX_FOLDERS = 64
# What stores' file systems call the time at which a file was last written to.
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified")
_SECRET_PARAMETER = re.compile(r"sig|token|key|secret|credential|passw|auth", re.IGNORECASE)


def find(url: str, storage_options: Mapping[str, Any] = {}) -> Iterator[Dump]:
    """The files that a URL or path names: one file, all below a folder (on the web: a URL that ends with `/`, whose page is
    an index), or what a pattern matches. Sorted, a folder at a time.

    Raises FleetError where there is nothing of that name, or the store cannot be asked.
    """
    protocol = url.partition("://")[0] if "://" in url else "file"
    if "::" in protocol or not re.fullmatch(r"[a-z0-9+]+", protocol):
        raise FleetError("%s is no URL of a store" % shown(url))
    try:
        if protocol in ("file", "local"):
            yield from _local(url.partition("://")[2] or url)
        else:
            yield from _remote(url, protocol, storage_options)
    except FileNotFoundError:
        raise FleetError("%s: there is nothing of that name" % shown(url)) from None
    except (ImportError, ValueError) as error:
        raise FleetError("%s: %s" % (shown(url), said(error, url))) from None
    except Exception as error:  # Each store has exceptions of its own.
        raise FleetError("%s cannot be listed: %s" % (shown(url), said(error, url))) from None


def file_system(protocol: str, storage_options: Mapping[str, Any]) -> Any:
    """The file system of a store. Listings are not kept: each is read once."""
    return fsspec.filesystem(protocol, **{"use_listings_cache": False, **storage_options})


def _remote(url: str, protocol: str, storage_options: Mapping[str, Any]) -> Iterator[Dump]:
    fs = file_system(protocol, storage_options)
    path = fs._strip_protocol(url)
    pattern = path if re.search(r"[*\[]", path) else None
    if protocol in WEB and url.endswith("/"):
        info = {"type": "directory", "name": url}
    else:
        try:
            info = fs.info(path)
        except FileNotFoundError:
            if pattern is None:
                raise
            for _, info in sorted(fs.glob(pattern, detail=True).items()):
                yield from _all(fs, protocol, info, False)
            return
    yield from _all(fs, protocol, info, True)


def _all(fs: Any, protocol: str, info: Mapping[str, Any], named: bool) -> Iterator[Dump]:
    if info["type"] == "directory":
        for inner in _below(fs, info["name"], 0):
            yield _dump(protocol, inner, False)
    else:
        yield _dump(protocol, info, named)


def _below(fs: Any, folder: str, depth: int) -> Iterator[Dict[str, Any]]:
    if depth > _MAX_FOLDERS:
        return
    for info in sorted(fs.ls(folder, detail=True), key=lambda info: str(info["name"])):
        # Some stores have objects that stand for folders.
        if info["name"].rstrip("/") == folder.rstrip("/"):
            continue
        if info["type"] == "directory":
            yield from _below(fs, info["name"], depth + 1)
        elif info["type"] == "file":
            yield info


def _dump(protocol: str, info: Mapping[str, Any], named: bool) -> Dump:
    path = str(info["name"])
    url = path if protocol in WEB else "%s://%s" % (protocol, path.lstrip("/"))
    return Dump(shown(url), protocol, path, info.get("size"), _modified(info), named)


def _modified(info: Mapping[str, Any]) -> Optional[float]:
    for key in _TIMES:
        value = info.get(key)
        if isinstance(value, (int, float)):
            return float(value)
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        if isinstance(value, datetime.datetime):
            return value.timestamp()
    return None


def _local(path: str) -> Iterator[Dump]:
    """As `pycore triage` finds files: symbolic links are followed, each file is taken once, what blocks is not opened."""
    paths = [path] if os.path.exists(path) else sorted(glob.glob(path, recursive=True))
    if not paths and not glob.has_magic(path):
        raise FileNotFoundError(path)
    met: Set[Tuple[int, int]] = set()
    for each in paths:
        is_folder = os.path.isdir(each)
        for file in _local_below(each, ()) if is_folder else [each]:
            with contextlib.suppress(OSError):
                status = os.stat(file)
                inode = (status.st_dev, status.st_ino)
                if stat.S_ISREG(status.st_mode) and inode not in met:
                    met.add(inode)
                    named = each == path and not is_folder
                    yield Dump(file, "file", os.path.abspath(file), status.st_size, status.st_mtime, named)


def _local_below(folder: str, above: Tuple[Tuple[int, int], ...]) -> Iterator[str]:
    try:
        status = os.stat(folder)
        names = sorted(os.listdir(folder))
    except OSError:
        return
    inode = (status.st_dev, status.st_ino)
    if inode in above:
        return
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _local_below(path, above + (inode,))
        else:
            yield path


def shown(url: str) -> str:
    """A URL without user and password, and without the values of parameters that grant access."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    query = parts.query
    if query:
        query = "&".join(
            "%s=%s" % (quote(name), "..." if _SECRET_PARAMETER.search(name) else quote(value))
            for name, value in parse_qsl(query, keep_blank_values=True)
        )
    elif "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def said(error: BaseException, url: str) -> str:
    """What an error says, in one line, without the secrets of the URL."""
    cause = error.__cause__ or error
    text = "%s: %s" % (type(cause).__name__, " ".join(str(cause).split()))
    parts = urlsplit(url)
    hidden = {value for name, value in parse_qsl(parts.query) if _SECRET_PARAMETER.search(name)}
    hidden.add(parts.netloc.rpartition("@")[0])
    for value in sorted(hidden - {""}, key=len, reverse=True):
        text = text.replace(value, "...").replace(quote(value, safe=""), "...")
    return text[:1000]
