"""How landed files are called: by vendor, account and the UTC day of receipt. Pure.

<vendor>/<account>/<date>.ndjson          a day in one file, appended to
<vendor>/<account>/<date>/<name>.ndjson   a day in pieces, each written once
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.parse import quote, unquote

ENDING = ".ndjson"


@cache
def segment(name: str) -> str:
    """A name as one folder name that cannot lead elsewhere."""
    safe = quote(name, safe=" @+,=")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


def folder_of(vendor: str, account: str) -> str:
    """The folder of an account's files, relative to the landing area."""
    return f"{segment(vendor)}/{segment(account)}"


def day_file(vendor: str, account: str, day: str) -> str:
    """The file of what an account's vendor said on a day: a place of its own, and what its lines are encrypted for."""
    return f"{folder_of(vendor, account)}/{day}{ENDING}"


def feed_folder(root: Path, vendor: str, account: str) -> Path:
    """Where a destructive feed keeps what is on its way, below the landing area of this machine."""
    return root / "feed" / f"{segment(vendor)}.{segment(account)}"


def account_of(file: str) -> tuple[str, str]:
    """Vendor and account of a landed file."""
    vendor, account, _ = file.split("/", 2)
    return unquote(vendor), unquote(account)


def day_of(file: str) -> str:
    """The day (UTC, ISO 8601) of a landed file."""
    return unquote(file.split("/")[2]).removesuffix(ENDING)


def sealed_for(file: str) -> str:
    """What the lines of a file are encrypted for: the file of their day, whichever piece of it they are in."""
    vendor, account, day, *_ = file.split("/")
    return f"{vendor}/{account}/{day.removesuffix(ENDING)}{ENDING}"
