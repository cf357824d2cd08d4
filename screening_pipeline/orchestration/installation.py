"""Which installation this is, in a Dagster that it may share with others: the prefix of its keys, and its runs."""

import os
from functools import cache
from pathlib import Path

import dagster as dg

from screening_pipeline.base.errors import ConfigurationError, ScreeningError
from screening_pipeline.settings import load, rules
from screening_pipeline.settings.paths import Paths
from screening_pipeline.settings.settings import Operations
from screening_pipeline.settings.table_reader import Refused

# What a component says in its `defs.yaml` goes before [operations] key_prefix.
PREFIX_VARIABLE = "SCREENING_KEY_PREFIX"


@cache
def operations() -> Operations:
    """What `[operations]` names; nothing where it cannot be read, which sensors, schedules and runs tell."""
    try:
        return load.load(os.environ, Path.cwd()).operations
    except ScreeningError:
        return Operations()


def _prefix() -> str:
    given = os.environ.get(PREFIX_VARIABLE, "").strip()
    if not given:
        return operations().key_prefix or ""
    try:
        return rules.key_prefix(given)
    except Refused as problem:
        raise ConfigurationError([f"{given[:40]!r} {problem}"], source=PREFIX_VARIABLE) from None


# Before each key and the name of each group; mostly empty.
PREFIX = _prefix()
# The tag of each run of this installation.
OWN_RUN = {"screening/installation": PREFIX or "screening_pipeline"}


def key(*path: str) -> dg.AssetKey:
    """The asset key with this path, under the prefix."""
    return dg.AssetKey([PREFIX, *path] if PREFIX else path)


def path_of(asset: dg.AssetKey) -> tuple[str, ...]:
    """The path of one of our keys, without the prefix."""
    return tuple(asset.path[1:] if PREFIX else asset.path)


def prefixed(name: str) -> str:
    """The name of a group or a pool, under the prefix."""
    return f"{PREFIX}_{name}" if PREFIX else name


def is_shared(instance: dg.DagsterInstance, paths: Paths) -> bool:
    """Whether an instance may record runs of others: it is not in the data folder, or has its tables elsewhere."""
    is_elsewhere = Path(instance.root_directory).resolve() != (paths.data_dir / "dagster").resolve()
    return is_elsewhere or hasattr(instance.event_log_storage, "postgres_url")


def own_runs(instance: dg.DagsterInstance, paths: Paths) -> dict[str, str]:
    """The tags by which the runs of this installation are found: others' are not ours to judge, end or forget."""
    return OWN_RUN if is_shared(instance, paths) else {}
