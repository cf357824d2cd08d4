"""Runs every benchmark and writes what they print, with the machine, the versions and the date, to RESULTS.md.

    python benchmarks/all.py [--smallest | --short | --full] [NAME]...

With names only those are run; what RESULTS.md has of the others stays, with the date it was measured.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from measuring import FORMS, busyness, environ, machine, today, versions

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
NAMES = ("pace", "load", "transform", "increment", "cycle", "fetch", "start", "planning", "views")
KEPT = ("pace", "load", "figures", "views", *NAMES, "cluster")
"""In the order of RESULTS.md; figures.py and cluster.py have no forms, and are run by themselves."""
PACKAGES = ("duckdb", "dagster", "pandas", "httpx", "aiohttp", "dlt", "numpy")
HEAD = """\
# Results

What `make bench` measured; `make bench ARGS=--full` takes the longer form. CPU seconds carry over from one machine
to the next better than wall seconds, ratios better still. Each script says at its top what it compares.
"""


def main(arguments: list[str]) -> int:
    """0 when every script went well; those that did not keep their earlier results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for form in FORMS:
        parser.add_argument(f"--{form}", dest="form", action="store_const", const=form)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.set_defaults(form="short")
    given = parser.parse_args(arguments)
    failed = []
    for name in given.names or NAMES:
        found = _section(name, given.form)
        if found is None:
            failed.append(name)
        elif given.form != "smallest":
            _write({**_kept(), name: found})
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _kept() -> dict[str, str]:
    """The sections of earlier runs, by the name of the script."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    parts = re.split(r"^## (\w+)\.py\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def _write(sections: dict[str, str]) -> None:
    texts = [f"## {name}.py\n\n{sections[name]}" for name in dict.fromkeys(KEPT) if name in sections]
    RESULTS.write_text("\n\n".join([HEAD.strip(), *texts]) + "\n", encoding="utf-8")


def _section(name: str, form: str) -> str | None:
    """Run a script, showing what it prints; the section that it makes, None where it failed."""
    print(f"== {name}.py --{form}", flush=True)
    started, busy = time.monotonic(), busyness()
    command, lines = [sys.executable, str(HERE / f"{name}.py"), f"--{form}"], []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ()) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    if process.returncode:
        return None
    took = f"{time.monotonic() - started:.0f} s"
    body = "\n".join(lines).strip()
    if "|--" not in body:  # laid out for a terminal
        body = f"```\n{body}\n```"
    return f"{today()}, `--{form}`, {took}, {busy}. {machine()}. {versions(*PACKAGES)}.\n\n{body}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
