from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from screening_pipeline_tests.support.loopback import Asked, Reply, json_reply, serving

TESTS = Path(__file__).parent
ROOT = TESTS.parent
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


# ── what the code measures ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with a circle that only functions close, a name that is private, and SQL in a string."""
    folder = tmp_path / "shop"
    (folder / "till").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "stock.py": 'def count():\n    """How\n    many."""\n    return "select 1\\nfrom shelf"\n\n\n_LEFT = 3\n',
        "order.py": "from shop.stock import _LEFT\n\n\ndef take():\n    from shop.till import pay\n    pay.cash()\n",
        "till/__init__.py": "",
        "till/pay.py": "from shop import order, stock\n\n\ndef cash():\n    order.take()\n    stock._LEFT\n",
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def test_a_circle_is_found_that_only_an_import_inside_a_function_closes(package: Path) -> None:
    assert loaded("measure").Code(package).circles() == ["order, till.pay"]


def test_a_private_name_is_found_however_it_is_taken(package: Path) -> None:
    taken = ["order takes stock._LEFT", "till.pay takes stock._LEFT"]
    assert loaded("measure").Code(package).private_imports() == taken


def test_imports_that_a_table_of_directions_does_not_allow_are_listed(package: Path) -> None:
    code = loaded("measure").Code(package)
    assert code.forbidden({"order": ["stock"], "till": ["stock", "order"], "stock": []}) == ["order -> till"]


def test_the_length_of_a_function_is_that_without_its_docstring_and_sql_is_counted_by_line(package: Path) -> None:
    code = loaded("measure").Code(package)
    assert sorted(code.function_lengths()) == [2, 3, 3]
    assert code.sql_lines() == {"stock": 2}


def test_what_the_code_measures_is_printed(capsys: pytest.CaptureFixture[str], package: Path) -> None:
    loaded("measure").main(package)
    shown = capsys.readouterr().out
    assert "files at the top           2\n" in shown
    assert "circles of imports         1\n    order, till.pay\n" in shown


# ── small changes ──────────────────────────────────────────────────────────────────────────────────────


def test_each_row_of_a_table_is_left_out_and_each_of_its_words_is_changed(tmp_path: Path) -> None:
    (tmp_path / "vendors").mkdir()
    (tmp_path / "vendors" / "acme.csv").write_text('value,lifecycle,note\nDone,completed,"a, b"\nNew,created,\n')
    changes = {(mutant.was, mutant.becomes) for mutant in loaded("mutants").of_tables(tmp_path)}
    assert changes == {
        ('Done,completed,"a, b"\n', ""),
        ('Done,completed,"a, b"\n', 'New,completed,"a, b"\n'),
        ('Done,completed,"a, b"\n', 'Done,created,"a, b"\n'),
        ("New,created,\n", ""),
        ("New,created,\n", "Done,created,\n"),
        ("New,created,\n", "New,completed,\n"),
    }


def test_statements_are_changed_where_they_mean_something_and_not_in_comments(tmp_path: Path) -> None:
    (tmp_path / "sql" / "star").mkdir(parents=True)
    (tmp_path / "sql" / "star" / "fact.sql").write_text("-- a = b\nselect min(x) from t where a = 'b'\n")
    found = [(mutant.was, mutant.becomes) for mutant in loaded("mutants").of_statements(tmp_path)]
    assert found == [("min(", "max("), (" = ", " <> "), ("'b'", "'mutated'")]


def test_a_change_that_was_judged_equivalent_has_its_reason() -> None:
    known = loaded("mutants").equivalents()
    assert all(len(reason) > 10 for reason in known.values())


def test_every_test_that_is_listed_as_slow_exists() -> None:
    listed = [line for line in (TESTS / "slow_tests.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert listed
    for file, _, name in (line.partition("::") for line in listed):
        text = (TESTS / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(|^{name} = ", text, re.MULTILINE), f"{file}::{name}"
