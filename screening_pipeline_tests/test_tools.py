from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving

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


# ── the audit of dependencies ──────────────────────────────────────────────────────────────────────────

LOCKED = """
version = 1
requires-python = ">=3.11"

[[package]]
name = "ours"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "weak" }, { name = "sound" }]
"""
PACKAGE = """
[[package]]
name = "NAME"
version = "1.0"
source = { registry = "https://index.example/simple" }
sdist = { url = "https://index.example/NAME-1.0.tar.gz", hash = "sha256:DIGEST" }
""".replace("DIGEST", "0" * 64)
PROJECT = '[project]\nname = "ours"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["weak", "sound"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that has locked one package with a known weakness and one without."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(LOCKED + PACKAGE.replace("NAME", "sound") + PACKAGE.replace("NAME", "weak"))
    return tmp_path


def advising(asked: Asked) -> Reply:
    """An advisory service that knows one weakness."""
    if asked.method == "GET":
        return json_reply({"id": "WEAK-1", "modified": "2026-01-01T00:00:00Z", "aliases": ["CVE-1"], "affected": []})
    wanted = [query["package"]["name"] for query in json.loads(asked.body)["queries"]]
    found = {"vulns": [{"id": "WEAK-1", "modified": "2026-01-01T00:00:00Z"}]}
    return json_reply({"results": [found if name == "weak" else {} for name in wanted]})


def audit(project: Path, *arguments: str) -> int:
    found: int = loaded("audit").main(arguments, lock=project / "uv.lock", record=project / "audit.json")
    return found


def test_an_audit_is_kept_and_told_again_without_a_network(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(advising) as service:
        assert audit(project, "--refresh", "--service", service.url, "--source", "a test") == 1
    assert audit(project) == 1
    said = capsys.readouterr().out
    assert "against a test: 2 of 2 locked packages, 1 known weaknesses, 0 accepted" in said
    assert "weak 1.0: WEAK-1" in said


def test_a_weakness_that_is_accepted_with_a_reason_is_counted_and_fails_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = {"package": "weak", "version": "1.0", "id": "WEAK-1", "aliases": []}
    kept = {"audited_on": "2026-01-01", "source": "a test", "findings": [finding], "packages": [["weak", "1.0"]]}
    (project / "audit.json").write_text(json.dumps({**kept, "accepted": {"WEAK-1": "never reached"}}))
    assert audit(project) == 0
    said = capsys.readouterr().out
    assert "1 of 2 locked packages, 0 known weaknesses, 1 accepted" in said
    assert "not audited, since they changed: sound 1.0" in said


def test_without_a_record_or_a_service_the_audit_is_skipped_with_a_word(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(project) == 0
    assert "audit skipped" in capsys.readouterr().out
    with serving(lambda _: Reply(404)) as service:
        assert audit(project, "--refresh", "--service", service.url) == 1
    assert "not refreshed" in capsys.readouterr().out
    assert not (project / "audit.json").exists()


def test_the_audit_on_record_says_when_it_was_made_and_against_what() -> None:
    record = json.loads((ROOT / "tools" / "audit.json").read_text(encoding="utf-8"))
    assert date.fromisoformat(record["audited_on"])
    assert record["source"]
    assert len(record["packages"]) > 100
    assert all(reason for reason in record["accepted"].values())


def test_everyday_work_installs_none_of_the_benchmarks_rivals(bootstrap: ModuleType) -> None:
    everyday, bench = (exported(*groups) for groups in (bootstrap.EVERYDAY, ("--only-group", "bench")))
    assert "\npytest==" in everyday
    assert "\ndlt" in bench
    assert "\ndlt" not in everyday


def exported(*groups: str) -> str:
    uv = str(Path(sys.executable).parent / "uv")
    command = [uv, "export", "--frozen", "--no-hashes", "--no-config", "--no-emit-project", *groups]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_window_of_the_feed_is_measured_for_each_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = loaded("window")
    threads = set(threading.enumerate())
    assert window.main(["--times", "2", "--folder", str(tmp_path)]) == 0
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
        assert not thread.is_alive(), "who keeps the deadline of a call that is over would end the process"
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" bytes")[0].strip() for line in said] == [f"{size:,}" for size in window.SIZES]
    assert all(0 < float(part.split(" ms")[0]) < 30_000 for line in said for part in line.split("ten ")[1:])
    assert list(tmp_path.iterdir()) == []


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"]}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def loaded(name: str) -> ModuleType:
    """A script of `tools/` as a module; that folder is no package."""
    spec = spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
