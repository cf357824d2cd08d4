"""Known weaknesses of the locked packages: tells what the audit on record found, or makes a new record.

Usage: python tools/audit.py [--refresh [--service URL --source TEXT]]

Telling needs no network: tools/audit.json holds what was audited, when, against what, and what was found. It ends
with 1 where a locked package has a weakness that is not accepted there with a reason; packages that changed since
are named as not audited. `--refresh` asks the OSV service, or another one that speaks as it does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "uv.lock"
RECORD = ROOT / "tools" / "audit.json"
PUBLIC = "the OSV service"

Packages = set[tuple[str, str]]
Record = dict[str, Any]


def main(arguments: Sequence[str], *, lock: Path = LOCK, record: Path = RECORD) -> int:
    """0 when nothing is known against what is locked, or skipped; 1 otherwise."""
    given = _parser().parse_args(arguments)
    today = datetime.now(UTC).date()  # noqa: TID251 - a record is dated by the day on which it was made
    if given.refresh and not refresh(lock, record, today=today, service=given.service, source=given.source):
        return 1
    if not record.exists():
        print("audit skipped: none is on record; `python tools/audit.py --refresh` makes one")
        return 0
    lines, is_good = told(json.loads(record.read_text(encoding="utf-8")), locked(lock), today=today)
    print("\n".join(lines))
    return 0 if is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--refresh", action="store_true", help="ask the service and keep what it says")
    parser.add_argument("--service", help="address of a service that speaks as OSV does; by default the public one")
    parser.add_argument("--source", default=PUBLIC, help="what to call it in the record")
    return parser


def locked(lock: Path) -> Packages:
    """Name and version of every package in a lock file that comes from an index."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return {(package["name"], package["version"]) for package in packages if "registry" in package["source"]}


def told(record: Record, packages: Packages, *, today: date) -> tuple[list[str], bool]:
    """What the record says of these packages, line by line, and whether that is good."""
    audited = {(name, version) for name, version in record["packages"]}
    known = [found for found in record["findings"] if (found["package"], found["version"]) in packages]
    open_ones = [found for found in known if found["id"] not in record["accepted"]]
    age = (today - date.fromisoformat(record["audited_on"])).days
    counts = f"{len(open_ones)} known weaknesses, {len(known) - len(open_ones)} accepted"
    looked_at = f"{len(packages & audited)} of {len(packages)} locked packages"
    lines = [f"audit of {record['audited_on']} ({age} days old) against {record['source']}: {looked_at}, {counts}"]
    lines += [f"  {found['package']} {found['version']}: {found['id']}" for found in open_ones]
    if missing := sorted(packages - audited):
        names = ", ".join(f"{name} {version}" for name, version in missing)
        lines.append(f"not audited, since they changed: {names}")
    return lines, not open_ones


def refresh(lock: Path, record: Path, *, today: date, service: str | None, source: str) -> bool:
    """Audit what is locked now and keep the result; whether that was possible."""
    answer = _asked(lock.parent, service)
    packages = locked(lock)
    if answer is None or answer["summary"]["audited_packages"] != len(packages):
        print("audit not refreshed: the advisory service cannot be reached, or did not look at every locked package")
        return False
    accepted = json.loads(record.read_text(encoding="utf-8"))["accepted"] if record.exists() else {}
    made = {
        "audited_on": today.isoformat(),
        "source": source,
        "accepted": accepted,
        "findings": [_finding(found) for found in answer["vulnerabilities"]],
        "packages": sorted(packages),
    }
    record.write_text(_written(made), encoding="utf-8")
    return True


def _asked(folder: Path, service: str | None) -> Record | None:
    """The answer of `uv audit`; None where there was none."""
    command = [str(Path(sys.executable).parent / "uv"), "audit", "--frozen", "--output-format", "json"]
    command += ["--preview-features", "audit,json-output", *(["--service-url", service] if service else [])]
    environ = {**os.environ, "UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_HTTP_RETRIES": "0"}
    asked = subprocess.run(command, cwd=folder, env=environ, check=False, text=True, capture_output=True)
    try:
        found: Record = json.loads(asked.stdout)
    except ValueError:
        return None
    return found


def _finding(found: Mapping[str, Any]) -> Record:
    name, version = found["dependency"]["name"], found["dependency"]["version"]
    return {"package": name, "version": version, "id": found["id"], "aliases": sorted(found["aliases"])}


def _written(record: Record) -> str:
    """As JSON, with a package on each line, so that a change of one is a change of one line."""
    head = json.dumps({name: value for name, value in record.items() if name != "packages"}, indent=2)
    packages = ",\n".join(f"    {json.dumps(package)}" for package in record["packages"])
    return f'{head.removesuffix("}").rstrip()},\n  "packages": [\n{packages}\n  ]\n}}\n'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
