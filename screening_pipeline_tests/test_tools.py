from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
LISTING = """\
:env:.cert='/certificates/ours.pem'
global.index-url='https://mirror.example/simple'
global.cert='/certificates/theirs.pem'
global.timeout='20'
"""


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    return loaded("bootstrap")


def test_the_installer_asks_the_index_that_pip_is_configured_for(bootstrap: ModuleType) -> None:
    assert bootstrap.translated(LISTING, {})["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"


def test_a_setting_of_the_environment_wins_over_one_of_a_file(bootstrap: ModuleType) -> None:
    assert bootstrap.translated(LISTING, {})["SSL_CERT_FILE"] == "/certificates/ours.pem"


def test_what_the_installer_was_told_itself_wins_over_what_pip_was_told(bootstrap: ModuleType) -> None:
    told = {"UV_DEFAULT_INDEX": "https://other.example/simple", "HOME": "/nowhere"}
    assert bootstrap.translated(LISTING, told) == {**told, "SSL_CERT_FILE": "/certificates/ours.pem"}


def test_without_settings_the_environment_stays_as_it_is(bootstrap: ModuleType) -> None:
    assert bootstrap.translated("", {"HOME": "/nowhere"}) == {"HOME": "/nowhere"}


def test_packages_are_compiled_and_go_nowhere_else(bootstrap: ModuleType) -> None:
    given = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_TARGET": "/elsewhere",
        "PYTHONPATH": "/elsewhere",
        "HOME": "/h",
    }
    cleaned = bootstrap.clean(given)
    assert cleaned == {"HOME": "/h", "UV_COMPILE_BYTECODE": "1", "UV_PYTHON_DOWNLOADS": "never"}


def test_an_environment_counts_only_if_its_python_runs_and_is_this_one(bootstrap: ModuleType, tmp_path: Path) -> None:
    assert not bootstrap.is_usable(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert bootstrap.is_usable(tmp_path)
    (tmp_path / "bin" / "python").unlink()
    (tmp_path / "bin" / "python").symlink_to("/bin/false")
    assert not bootstrap.is_usable(tmp_path)


def test_a_python_that_is_too_old_is_refused_with_the_way_out(tmp_path: Path) -> None:
    answer = make("test", f"VENV={tmp_path}/environment", "PYTHON=/bin/false")
    assert answer.returncode != 0
    assert "No Python from 3.11 to 3.14 among: /bin/false" in answer.stdout
    assert not (tmp_path / "environment").exists()


def test_help_lists_every_target_and_needs_no_installation(tmp_path: Path) -> None:
    answer = make("help", f"VENV={tmp_path}/environment")
    assert answer.returncode == 0
    assert {"demo", "test", "check", "dev", "bench", "clean"} <= {
        line.split()[1] for line in answer.stdout.splitlines()
    }
    assert not (tmp_path / "environment").exists()


def test_the_pinned_installer_is_the_one_in_the_lock_file() -> None:
    wanted = (ROOT / "tools" / "bootstrap.txt").read_text(encoding="utf-8")
    locked = (ROOT / "uv.lock").read_text(encoding="utf-8")
    name, _, version = wanted.split()[0].partition("==")
    assert f'name = "{name}"\nversion = "{version}"' in locked
    hashes = [part.removeprefix("--hash=") for part in wanted.split() if part.startswith("--hash=")]
    assert hashes
    assert all(value in locked for value in hashes)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"]}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def loaded(name: str) -> ModuleType:
    """A script of `tools/` as a module; that folder is no package."""
    spec = spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
