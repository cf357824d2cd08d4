"""Makes a virtual environment with the locked dependencies, from a bare Python and a package index.

Usage: python tools/bootstrap.py FOLDER [GROUP]

Run by the Makefile with any supported Python; it needs nothing but the standard library. What it installs is
what uv.lock says, by hash, fetched from the index that pip is configured for: a mirror serves as well as the
public one, since hashes and not hosts are what is trusted. GROUP is one of pyproject.toml's dependency groups;
without it come all but the benchmarks' rivals, and all extras.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALLER = ROOT / "tools" / "bootstrap.txt"
# pip's setting → the environment variable by which uv knows the same.
SETTINGS = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY"}
SECTIONS = ("global", "install", ":env:")  # the later one wins, as with pip
EVERYDAY = ("--all-groups", "--no-group", "bench", "--all-extras")


def main(folder: Path, group: str | None = None) -> None:
    """Bring `folder` up to the lock file. Raises SystemExit with what to do when that cannot be done."""
    print(f"Setting up {folder.name} with Python {sys.version.split()[0]} ...", flush=True)
    try:
        if not is_usable(folder):
            create(folder)
        if not (folder / "bin" / "uv").exists():
            install_installer(folder)
        install_locked(folder, EVERYDAY if group is None else ("--no-default-groups", "--group", group))
    except subprocess.CalledProcessError as failed:
        step = " ".join(Path(part).name for part in failed.cmd[:4])
        raise SystemExit(f"{step}: failed with exit code {failed.returncode}; its words are above") from None
    (folder / ".complete").touch()


def is_usable(folder: Path) -> bool:
    """Whether the folder holds an environment of this very Python version."""
    python = folder / "bin" / "python"
    command = [str(python), "-c", "import sys; print(sys.version_info[:2])"]
    if not python.exists():
        return False
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == str(sys.version_info[:2])


def create(folder: Path) -> None:
    """A new environment with pip in it, in place of whatever the folder held."""
    try:
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=True, prompt=ROOT.name).create(folder)
    except subprocess.CalledProcessError:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        hint = f"on Debian and Ubuntu, install python{version}-venv"
        raise SystemExit(f"{sys.executable} cannot make virtual environments; {hint}") from None


def install_installer(folder: Path) -> None:
    """Put the pinned uv into the environment, by hash."""
    python = str(folder / "bin" / "python")
    run([python, "-m", "ensurepip", "--upgrade"], clean(os.environ), is_quiet=True)
    options = ["--quiet", "--no-input", "--no-deps", "--disable-pip-version-check"]
    trust = ["--require-hashes", "--only-binary", ":all:"]
    run([python, "-m", "pip", "install", *options, *trust, "-r", str(INSTALLER)], clean(os.environ))


def install_locked(folder: Path, groups: Sequence[str]) -> None:
    """Make the environment hold exactly what the lock file names for these groups, and this project in place."""
    environ = translated(pip_settings(folder), clean(os.environ))
    uv, wanted = str(folder / "bin" / "uv"), str(folder / "locked.txt")
    target = ["--quiet", "--python", str(folder / "bin" / "python")]
    run([uv, "export", *target, "--frozen", *groups, "--no-emit-project", "-o", wanted], environ)
    run([uv, "pip", "sync", *target, "--require-hashes", wanted], environ)
    run([uv, "pip", "install", *target, "--no-deps", "--editable", str(ROOT)], environ)


def pip_settings(folder: Path) -> str:
    """What `pip config list` prints: one `section.key='value'` per line."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "config", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def translated(listing: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with pip's settings added in uv's words, where uv has not been told otherwise."""
    given = dict(line.split("=", 1) for line in listing.splitlines() if "=" in line)
    found = {
        variable: ast.literal_eval(given[f"{section}.{key}"])
        for key, variable in SETTINGS.items()
        for section in SECTIONS
        if f"{section}.{key}" in given
    }
    return {**found, **environ}


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would put the packages elsewhere or leave them uncompiled."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
    kept = {name: value for name, value in environ.items() if name not in unwanted}
    # Byte-code made now halves the time of every later start.
    return {**kept, "UV_COMPILE_BYTECODE": "1", "UV_PYTHON_DOWNLOADS": "never"}


def run(command: list[str], environ: Mapping[str, str], *, is_quiet: bool = False) -> None:
    """Run one step in the project's folder, without input. Raises CalledProcessError."""
    output = subprocess.DEVNULL if is_quiet else None
    subprocess.run(command, env=environ, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=output)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), *sys.argv[2:])
