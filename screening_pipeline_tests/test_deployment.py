"""What docs/deploy.md says: units that systemd takes, a restore from a backup, a place in another project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml  # type: ignore[import-untyped]

from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.component import ScreeningPipeline
from screening_pipeline.orchestration.instance import CODE_LOCATION, CODE_MODULE
from screening_pipeline.orchestration.keys import MERGE, SHARD
from screening_pipeline.orchestration.postgres_storage import SCHEME, require_usable
from screening_pipeline.runtime import bundled_sandbox
from screening_pipeline.sandbox.server import VIRTUAL_EPOCH
from screening_pipeline.settings import load
from screening_pipeline.warehouse import session, store
from screening_pipeline_tests.support.commands import Commands

ROOT = Path(__file__).parent.parent
CLUSTER = ROOT / "deploy" / "cluster"
COMPOSED = sorted((ROOT / "deploy").rglob("compose.yaml"))
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
NOW = "2026-01-12T09:00:00+00:00"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    """With a program where the unit has it, else that would be all that is told."""
    for one in UNITS:
        text = one.read_text(encoding="utf-8").replace("/opt/screening/bin/screening-pipeline", sys.executable)
        (tmp_path / one.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / unit.name],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert [line for line in done.stderr.splitlines() if unit.name in line or "Unknown" in line] == []
    assert done.returncode == 0, done.stderr


def test_every_command_of_deploy_is_one_that_there_is(commands: Commands, tmp_path: Path) -> None:
    for unit in UNITS:
        for line in unit.read_text(encoding="utf-8").splitlines():
            if line.startswith("ExecStart="):
                words = line.split()[1:]
                known = commands.run(words[0], "--help", folder=tmp_path, environ={})
                assert known.returncode == 0, line
                assert all(word in known.stdout for word in words if word.startswith("--")), line


@pytest.mark.parametrize("file", COMPOSED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_composition_is_one_that_there_is(file: Path, commands: Commands, tmp_path: Path) -> None:
    services = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    ours = {name: given for name, given in services.items() if "build" in given}
    assert {"pages", "daemon"} < ours.keys()
    for name, given in ours.items():
        if "entrypoint" not in given:
            assert_known(given["command"], name, commands, tmp_path)
        for mount in (one.split(":")[0] for one in given["volumes"] if one.startswith(".")):
            assert (file.parent / mount).exists() or mount == "./screening.toml", f"{name} mounts {mount}"
    for given in services.values():
        assert set(given.get("depends_on", ())) <= services.keys()


def assert_known(words: list[str], where: str, commands: Commands, folder: Path) -> None:
    known = commands.run(words[0], "--help", folder=folder, environ={})
    assert known.returncode == 0, where
    assert all(word in known.stdout for word in words if word.startswith("--")), f"{where}: {words}"


def test_the_configuration_of_several_machines_is_one_that_is_taken(tmp_path: Path) -> None:
    account = (
        '[[accounts]]\nvendor = "zinc"\nname = "main"\nbase_url = "https://zinc.example"\napi_key_env = "ZINC_KEY"\n'
    )
    text = (CLUSTER / "screening.toml").read_text(encoding="utf-8")
    (tmp_path / "screening.toml").write_text(text + account)
    settings = load.load({}, tmp_path)
    assert settings.engine == "ducklake"
    assert settings.landing.url
    told = (CLUSTER / "secrets.env.example").read_text(encoding="utf-8")
    variables = {line.partition("=")[0]: line.partition("=")[2] for line in told.splitlines() if "=" in line}
    addresses = {settings.state.url_env, settings.warehouse.catalog_env, settings.warehouse.published_catalog_env}
    privacy = settings.privacy
    assert addresses | {privacy.landing_key_env, privacy.pseudonym_key_env, privacy.spool_key_env} <= variables.keys()
    storage = yaml.safe_load((CLUSTER / "dagster.yaml").read_text(encoding="utf-8"))["storage"]["postgres"]
    require_usable(yaml.safe_dump(storage), variables, source="dagster.yaml")
    databases = (CLUSTER / "databases.sql").read_text(encoding="utf-8")
    for name in addresses:
        assert f"create database {variables[str(name)].rpartition('/')[2]};" in databases


def test_what_kubernetes_is_told_names_what_there_is(commands: Commands, tmp_path: Path) -> None:
    """The values are rendered by hand, with the chart and its schema: neither is here."""
    values = yaml.safe_load((CLUSTER / "values.yaml").read_text(encoding="utf-8"))
    assert values["postgresql"]["postgresqlScheme"] == SCHEME
    queue = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert [one["key"] for one in queue["tagConcurrencyLimits"]] == [SHARD, MERGE]
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    words = deployment["dagsterApiGrpcArgs"]
    assert words == ["--module-name", CODE_MODULE, "--location-name", CODE_LOCATION]
    assert deployment["image"] == values["dagsterDaemon"]["image"] == values["dagsterWebserver"]["image"]
    receiver, service = yaml.safe_load_all((CLUSTER / "receiver.yaml").read_text(encoding="utf-8"))
    (container,) = receiver["spec"]["template"]["spec"]["containers"]
    assert_known(container["command"][1:], "receiver", commands, tmp_path)
    assert container["image"] == "{repository}:{tag}".format(**deployment["image"])
    labels = receiver["spec"]["template"]["metadata"]["labels"]
    assert labels == receiver["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]


@pytest.mark.slow
def test_a_backup_is_restored_to_the_same_star(commands: Commands, tmp_path: Path) -> None:
    """As docs/deploy.md says: orders, landed lines, the register and the keys, then a rebuild."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        (folder / "data").mkdir(parents=True)
    bundled_sandbox.World(7, 12, VIRTUAL_EPOCH, 4).keep(here / "data" / "sandbox")
    assert commands.run("sync", folder=here, environ={"SCREENING_NOW": NOW}).returncode in (0, 1)
    archive = tmp_path / "backup.tar"
    names = [path.name for path in (here / "data").iterdir() if path.name in ("orders", "landing", "erasures.ndjson")]
    names += [path.name for path in (here / "data").glob("*.key")]
    subprocess.run(["tar", "-C", here / "data", "-cf", archive, *names], check=True)
    subprocess.run(["tar", "-C", there / "data", "-xf", archive], check=True)
    assert commands.run("rebuild", folder=there, environ={"SCREENING_NOW": NOW}).returncode in (0, 1)
    before, after = star(here), star(there)
    assert [name for one, other in zip(before, after, strict=True) for name in one if one[name] != other[name]] == []
    assert len(after) == 12


def star(folder: Path) -> list[dict[str, object]]:
    """All that is known of each check; numbers of rows are given out anew, and what is asked next is planned anew."""
    query = (
        "select columns(lambda name: name not like '%_key' and name <> 'next_pull_at') from star.fact_check "
        "order by vendor, account, subject, check_id"
    )
    with store.reader(folder / "data" / "published" / "screening.duckdb") as connection:
        return session.rows(connection, query)


def test_a_project_made_by_dg_loads_it_as_a_component(tmp_path: Path) -> None:
    """In a process of its own, as it sets where the configuration lies."""
    project = tmp_path / "project"
    folder = project / "defs" / "screening"
    folder.mkdir(parents=True)
    kind = '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "project"\n'
    (project / "pyproject.toml").write_text(kind)
    (project / "__init__.py").touch()
    (project / "defs" / "__init__.py").touch()
    (project / "screening.toml").write_text(
        '[[accounts]]\nvendor = "zinc"\nname = "main"\nbase_url = "https://zinc.example"\napi_key_env = "ZINC_KEY"\n'
        '[operations]\nowners = ["team:people-operations"]\ntags = { domain = "hiring" }\n'
        '[publish]\nparquet_every = "0s"\n'
    )
    (folder / "defs.yaml").write_text(
        "type: screening_pipeline.component.ScreeningPipeline\n"
        "attributes:\n  config: ../../screening.toml\n  sensors: false\n  key_prefix: emea\n"
        f"  data_dir: {tmp_path / 'data'}\n"
    )
    (tmp_path / "data" / "orders").mkdir(parents=True)
    (tmp_path / "data" / "orders" / "one.csv").write_text("vendor,check_id\nzinc,z1\n")
    told = "import json, os, sys; sys.path.insert(0, '..'); import dagster as dg, pathlib\n"
    told += "found = dg.load_from_defs_folder(path_within_project=pathlib.Path.cwd())\n"
    told += "repository = found.get_repository_def()\n"
    told += "facts = {'jobs': len(repository.job_names), 'sensors': len(repository.sensor_defs),"
    told += " 'schedules': len(repository.schedule_defs), 'config': os.environ['SCREENING_CONFIG']}\n"
    told += "specs = found.resolve_all_asset_specs()\n"
    told += "facts['named'] = sorted({(*spec.owners, spec.tags.get('domain')) for spec in specs})\n"
    told += "facts['keys'] = sorted({(spec.key.path[0], spec.group_name.partition('_')[0]) for spec in specs})\n"
    told += "instance = dg.DagsterInstance.ephemeral()\n"
    told += "run = found.resolve_job_def('read_orders').execute_in_process(instance=instance)\n"
    told += "facts['made'] = [e.asset_key.path for e in run.get_asset_materialization_events()]\n"
    told += "facts['tried'] = [e.asset_check_evaluation_data.asset_key.path for e in run.all_events"
    told += " if e.event_type_value == 'ASSET_CHECK_EVALUATION']\n"
    told += "facts['tags'] = instance.get_run_by_id(run.run_id).tags\n"
    told += "print(json.dumps(facts))\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", told],
        cwd=project,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "DAGSTER_DISABLE_TELEMETRY": "yes"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["jobs"] > 5
    assert facts["schedules"] > 2
    assert facts["sensors"] == 0
    assert facts["keys"] == [["emea", "emea"]], "of all assets, and of all groups"
    assert ["emea", "raw", "order"] in facts["made"]
    assert ["emea", "star", "fact_check"] in facts["made"], "told of by the step, which made them"
    assert ["emea", "published", "parquet"] in facts["made"], "with the snapshot, as it was asked for"
    assert {key[0] for key in [*facts["made"], *facts["tried"]]} == {"emea"}
    assert ["emea", "star", "fact_check"] in facts["tried"]
    assert facts["tags"]["screening/installation"] == "emea"
    assert facts["named"] == [["team:people-operations", "hiring"]], "of [operations]"
    assert Path(facts["config"]).resolve() == project / "screening.toml"


def test_two_installations_in_one_code_location_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They would share an environment, so that one of them asked with the accounts of the other."""
    from screening_pipeline.orchestration import component

    monkeypatch.setattr(component, "_LOADED", {tmp_path / "emea"})
    with pytest.raises(ConfigurationError, match="another installation needs a code location of its own"):
        ScreeningPipeline(key_prefix="apac").build_defs(SimpleNamespace(path=tmp_path / "apac"))  # type: ignore[arg-type]
