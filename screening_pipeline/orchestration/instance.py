"""The Dagster instance: where its storage lies, and its settings."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from screening_pipeline.base import files
from screening_pipeline.base.errors import ConfigurationError
from screening_pipeline.base.failures import telling
from screening_pipeline.base.locks import locked
from screening_pipeline.orchestration import postgres_storage
from screening_pipeline.orchestration.storage_failures import storage_told
from screening_pipeline.settings.paths import Paths

if TYPE_CHECKING:
    from datetime import datetime

    import dagster as dg
    from dagster._config import EvaluationError
    from dagster._core.instance import InstanceRef

DAGSTER_YAML = """\
# Written once by screening-pipeline; yours to change.
telemetry:
  enabled: false
nux:
  enabled: false
# Steps say what they do in events. Capturing what they print would start four processes for each of them.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
# The console says what a person reads; whatever else happens is in the events of the run.
python_logs:
  python_log_level: INFO
# A run whose worker died is noticed and ended, so that it blocks nobody.
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  max_runtime_seconds: 21600
run_queue:
  max_concurrent_runs: 4
retention:
  sensor:
    purge_after_days: {skipped: 7, failure: 30, success: 30}
  schedule:
    purge_after_days: 90
"""


_LEVELS = DAGSTER_YAML[DAGSTER_YAML.index("# The console says") : DAGSTER_YAML.index("# A run whose worker")]
_CAPTURE = DAGSTER_YAML[DAGSTER_YAML.index("# Steps say what") : DAGSTER_YAML.index("# The console says")]
# What earlier versions wrote: without levels events are stored that nobody reads, and once steps were captured.
_EARLIER_YAML = (DAGSTER_YAML.replace(_LEVELS, ""), DAGSTER_YAML.replace(_CAPTURE + _LEVELS, ""))


CODE_MODULE, CODE_LOCATION = "screening_pipeline.definitions", "screening_pipeline"
WORKSPACE_YAML = f"""\
# Written by screening-pipeline for its pages and its daemon, which know the same code by the same name.
load_from:
  - python_module:
      module_name: {CODE_MODULE}
      location_name: {CODE_LOCATION}
"""
SERVED_YAML = f"""\
load_from:
  - grpc_server:
      socket: %s
      location_name: {CODE_LOCATION}
"""


def workspace_file(paths: Paths) -> Path:
    """The workspace that `dev` and `serve` load, made in Dagster's home. Raises NotWritable, DiskFull."""
    ensure_instance_files(paths)
    target = paths.dagster / "workspace.yaml"
    with _alone_in(paths.dagster):  # pages and daemon may begin at once
        files.write_new(target, WORKSPACE_YAML.encode())
    return target.absolute()


EVENTS_AT_ONCE, BATCH_VARIABLE = 200, "DAGSTER_EVENT_BATCH_SIZE"
"""Events of a run that begins (what it intends to make) are written together; and where Dagster looks for it."""


EARLIER_EVENT_LOG = re.compile(rb"\bscreening_pipeline\.event_log\b")
EVENT_LOG = "screening_pipeline.orchestration.event_log"


def ensure_instance_files(paths: Paths) -> None:
    """Make Dagster's home with a `dagster.yaml`, unless there is one; there, our event log gets its present name.

    One that an earlier version wrote, and that nobody has changed since, becomes what is written today.

    Dagster reads the file before any of our code is there to tell it that the module has moved.
    """
    paths.create()
    with _alone_in(paths.dagster):
        config = paths.dagster / "dagster.yaml"
        found = config.read_bytes() if config.exists() else None
        if found is None or found.decode(errors="replace") in _EARLIER_YAML:  # written by us, and nobody's since
            files.write_new(config, DAGSTER_YAML.encode())
        elif EARLIER_EVENT_LOG.search(found):
            files.write_new(config, EARLIER_EVENT_LOG.sub(EVENT_LOG.encode(), found))


def instance(paths: Paths, environ: Mapping[str, str] = os.environ) -> "dg.DagsterInstance":
    """The Dagster instance that records every run: at DAGSTER_HOME, else in the data folder.

    Raises NotWritable, DiskFull, and EnvironmentFailed where the storage is damaged.
    """
    ensure_instance_files(paths)
    # Whoever opens a new storage makes its tables, and two at once fail in each other's migrations.
    with _alone_in(paths.dagster), storage_told(paths.dagster):
        return _opened(paths, environ)


def make_storage(paths: Paths, environ: Mapping[str, str] = os.environ) -> None:
    """See that the storage has its tables before pages and daemon, which know no lock of ours, open it at once.

    Two that make them side by side leave its schedules with two versions, and nobody can open those again. Raises as
    `instance`.
    """
    with _alone_in(paths.dagster), storage_told(paths.dagster):
        if not (paths.dagster / "schedules" / "schedules.db").exists():  # which is made last
            _opened(paths, environ).dispose()


@contextmanager
def _slips_named(config: Path) -> Iterator[None]:
    """Turn what Dagster says of its configuration into ConfigurationError, which names the key and no value."""
    import yaml  # type: ignore[import-untyped]
    from dagster import DagsterInvalidConfigError
    from dagster._check import CheckError

    try:
        yield
    except DagsterInvalidConfigError as problem:
        raise ConfigurationError(map(_slip, problem.errors), source=str(config)) from None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigurationError([f"is not YAML{where}: {problem.problem}"], source=str(config)) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigurationError(["is not YAML text in UTF-8"], source=str(config)) from None
    except CheckError as problem:
        raise ConfigurationError([_failed_check(str(problem))], source=str(config)) from None


def _slip(error: "EvaluationError") -> str:
    """What is wrong in one place, by its key."""
    keys = [entry.field_name for entry in error.stack.entries if hasattr(entry, "field_name")]
    told = error.error_data
    names = [told.field_name] if hasattr(told, "field_name") else list(getattr(told, "field_names", ()))
    at = ".".join(keys) or "the top level"
    match error.reason.name:
        case "FIELD_NOT_DEFINED" | "FIELDS_NOT_DEFINED":
            return f"{', '.join(names)} at {at} is no key that Dagster knows"
        case "MISSING_REQUIRED_FIELD" | "MISSING_REQUIRED_FIELDS":
            return f"{', '.join(names)} at {at} is missing"
        case "FAILED_POST_PROCESSING":
            return f"{at} names a variable that is not set in the environment"
    return f"{at} has a value that Dagster does not take"


def _failed_check(text: str) -> str:
    """What Dagster says of classes that it cannot load; of anything else only that it is so."""
    found = re.search(r"Couldn't (?:import module|find class) [\w.]+.*", text)
    return found[0] if found else "is not a table of settings"


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    with telling("Dagster's home", folder=home), locked(home / "opening.lock"):
        yield


def _opened(paths: Paths, environ: Mapping[str, str]) -> "dg.DagsterInstance":
    from screening_pipeline.orchestration.event_log import mind_signs_in_paths

    mind_signs_in_paths()
    with _slips_named(paths.dagster / "dagster.yaml"):
        opened = _configured(paths, environ)
        # Else what is wrong with them shows only when a run is begun.
        _ = opened.run_coordinator, opened.run_launcher, opened.scheduler
        postgres_storage.keep_connections(opened)
        return opened


def _configured(paths: Paths, environ: Mapping[str, str]) -> "dg.DagsterInstance":
    import dagster as dg
    from dagster._core.instance import InstanceRef

    ref = InstanceRef.from_dir(str(paths.dagster))
    storage = ref.storage_data
    if storage is not None and storage.class_name == postgres_storage.STORAGE:
        postgres_storage.require_usable(storage.config_yaml, environ, source=str(paths.dagster / "dagster.yaml"))
    if environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    return dg.DagsterInstance.from_ref(own_ref(paths) or ref)


def own_ref(paths: Paths) -> "InstanceRef | None":
    """The reference to the instance with our event log; None where somebody has chosen another in dagster.yaml."""
    from dagster._core.instance import InstanceRef

    ref = InstanceRef.from_dir(str(paths.dagster))
    storage = ref.storage_data
    if storage is None or storage.class_name != "DagsterSqliteStorage":
        return None
    os.environ.setdefault(BATCH_VARIABLE, str(EVENTS_AT_ONCE))
    return ref._replace(storage_data=storage._replace(module_name=EVENT_LOG, class_name="Storage"))


def instance_of(context: "dg.SensorEvaluationContext | dg.ScheduleEvaluationContext") -> "dg.DagsterInstance":
    """The instance that a tick is of, kept open from one tick to the next: opening it costs more than most ticks."""
    from dagster._serdes import serialize_value

    ref = context.instance_ref
    return context.instance if ref is None else _kept_open(serialize_value(ref))


@lru_cache(maxsize=1)
def _kept_open(ref: str) -> "dg.DagsterInstance":
    import dagster as dg
    from dagster._core.instance import InstanceRef
    from dagster._serdes import deserialize_value

    return dg.DagsterInstance.from_ref(deserialize_value(ref, InstanceRef))


def forget_runs(
    dagster_instance: "dg.DagsterInstance",
    *,
    before: "datetime",
    own: Mapping[str, str],
    schedule: str | None = None,
) -> int:
    """Delete Dagster's records of runs that ended before an instant; how many there were.

    `own`: the tags by which ours are found. `schedule`: only those that it started. `ops.run` goes on telling of them,
    and each asset of when it was last made.
    """
    import dagster as dg

    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    tags = {**own, **({"dagster/schedule_name": schedule} if schedule else {})}
    found = dagster_instance.get_run_records(dg.RunsFilter(statuses=ended, updated_before=before, tags=tags))
    for record in found:
        run_id = record.dagster_run.run_id
        dagster_instance.delete_run(run_id)
        # Where events lie in a file of their own for each run, Dagster empties the file and leaves it.
        for leftover in (Path(dagster_instance.root_directory) / "history" / "runs").glob(f"{run_id}.db*"):
            leftover.unlink(missing_ok=True)
    return len(found)
