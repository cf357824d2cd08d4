"""Writes uv.lock and, from it, tools/bootstrap.txt; or tells whether they are up to date.

Usage: python tools/lock.py [--check]

The lock file is made against the public index, whatever this machine is configured for. `--check` is skipped
with a word when that index cannot be reached.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALLER = ROOT / "tools" / "bootstrap.txt"
# A mirror's address would make every lock file look out of date.
ELSEWHERE = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
)
OUTDATED = 1  # uv's exit code for a lock file that needs an update; trouble of any other kind is 2


def main(arguments: list[str]) -> int:
    """0 when up to date, written or skipped; 1 when something is to be done."""
    if arguments == ["--check"]:
        return check()
    uv("lock", check=True)
    INSTALLER.write_text(exported(), encoding="utf-8")
    return 0


def check() -> int:
    """Compare both files with what they are made from."""
    if exported() != INSTALLER.read_text(encoding="utf-8"):
        print("tools/bootstrap.txt is not what uv.lock says: run `make lock`")
        return 1
    locked = uv("lock", "--check")
    if locked.returncode == OUTDATED:
        print("uv.lock is not what pyproject.toml asks for: run `make lock`")
        return 1
    if locked.returncode != 0:
        print("lock check skipped: the package index cannot be reached")
    return 0


def exported() -> str:
    """The pinned and hashed installer, as pip reads it."""
    return uv("export", "--frozen", "--only-group", "bootstrap", "--no-header", check=True).stdout


def uv(*arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run uv on this project, deaf to the machine's own settings. Raises CalledProcessError on `check`."""
    program = Path(sys.executable).parent / "uv"
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    environ = {**kept, "UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_HTTP_RETRIES": "0"}
    command = [str(program), *arguments, "--python", sys.executable]
    return subprocess.run(command, env=environ, cwd=ROOT, check=check, text=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
