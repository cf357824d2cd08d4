"""What starting costs: imports, the code location, the commands that only look, and a sensor's tick.

    python benchmarks/start.py [--short | --full] [--times N]

Each line but the ticks is a new process with its byte-code in place, measured from outside; the peer is Dagster
itself (`import dagster`, `dagster --help`). Ticks are evaluated in one warm process, as a code location does for the
daemon, with nothing due and with 100 checks due.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import (
    Cost,
    Options,
    children_peak_mb,
    costs_table,
    environ,
    main,
    medians,
    metered,
    middle,
    run_part,
    say,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg

BIN = Path(sys.executable).parent
DAGSTER = "import dagster"
LOCATION = "from screening_pipeline.definitions import defs; defs.get_repository_def()"
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "python itself": ("python", "-c", "pass"),
    "import screening_pipeline": ("python", "-c", "import screening_pipeline"),
    "screening-pipeline --help": ("screening-pipeline", "--help"),
    "screening-pipeline status": ("screening-pipeline", "status"),
    DAGSTER: ("python", "-c", DAGSTER),
    "dagster --help": ("dagster", "--help"),
    "load the code location": ("python", "-c", LOCATION),
}
TICKED = (("recheck", 0), ("recheck", 100), ("order_manifest", 0), ("landed_messages", 0))
TICKS = 20


def command(words: list[str], folder: str) -> Cost:
    """Run a command to its end; the process that does so has nothing else to do."""
    given = {**environ(), "SCREENING_DATA_DIR": folder, "DAGSTER_HOME": folder, "DAGSTER_DISABLE_TELEMETRY": "yes"}
    with metered() as cost:
        done = subprocess.run(
            [BIN / words[0], *words[1:]], env=given, cwd=folder, stdout=subprocess.DEVNULL, check=False
        )
    cost.peak_mb = children_peak_mb()
    if done.returncode not in (0, 1):  # 1: something needs attention
        raise SystemExit(f"{words[0]} ended with {done.returncode}")
    return cost


def data(folder: str) -> Cost:
    """A data folder after one cycle against the bundled sandbox, for `status` to look at."""
    given = {**environ(), "SCREENING_DATA_DIR": folder}
    with metered() as cost:
        subprocess.run(
            [BIN / "screening-pipeline", "sync"], env=given, cwd=folder, stdout=subprocess.DEVNULL, check=False
        )
    return cost


def ticks(folder: str) -> Cost:
    """Ticks of every sensor, warm: the facts are CPU milliseconds of one tick, by what it found."""
    os.environ.update(SCREENING_DATA_DIR=folder, DAGSTER_DISABLE_TELEMETRY="yes")
    import dagster as dg

    from screening_pipeline.orchestration.sensors import SENSORS
    from screening_pipeline.settings.paths import Paths
    from screening_pipeline.state.pull_queue import PullQueue
    from screening_pipeline.state.store import State

    pull_queue = PullQueue(State(Paths.under(Path(folder), os.environ).state))
    by_name = {sensor.name: sensor for sensor in SENSORS}
    cost = Cost()
    with tempfile.TemporaryDirectory() as home, dg.DagsterInstance.local_temp(home) as instance:
        for name, due in TICKED:
            _make_due(pull_queue, due)
            _tick(by_name[name], instance)
            started = time.process_time()
            for _ in range(TICKS):
                _tick(by_name[name], instance)
            found = f"{name}, {due} due" if "recheck" in name else f"{name}, nothing new"
            cost.facts[found] = 1000 * (time.process_time() - started) / TICKS
    return cost


def _make_due(pull_queue: Any, due: int) -> None:
    from screening_pipeline.state.pull_queue import QueuedPull

    now = datetime.now(UTC)
    moments = [now - timedelta(minutes=1)] * due + [now + timedelta(days=1)] * (1_000 - due)
    keys = [("workerchecks", "sandbox", "check", f"check-{key}") for key in range(len(moments))]
    due_keys = enumerate(zip(keys, moments, strict=True))
    items = [QueuedPull(10**6 + n, *key, moment, "bench") for n, (key, moment) in due_keys]
    pull_queue.replace("workerchecks", "sandbox", items)


def _tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> None:
    import dagster as dg

    from screening_pipeline.orchestration.definitions import defs

    context = dg.build_sensor_context(
        instance=instance, sensor_name=sensor.name, repository_def=defs.get_repository_def(), cursor="[]"
    )
    sensor.evaluate_tick(context)


def plan(options: Options) -> None:
    """Measure and print."""
    folder = str(options.folder)
    run_part("data", folder=folder)
    times = options.choose(1, options.times, 3 * options.times)
    wanted = {name: partial(run_part, "command", words=words, folder=folder) for name, words in COMMANDS.items()}
    costs = medians(times, wanted)
    say(f"Each a new process; medians of {times}. No memory below that of the process that measures is seen.")
    costs_table("what", costs, base=DAGSTER)
    ticked = middle([run_part("ticks", folder=folder) for _ in range(times)])
    say(f"Ticks of sensors in a warm process, medians of {times} times {TICKS}:")
    table(("sensor", "CPU ms a tick"), list(ticked.facts.items()))


if __name__ == "__main__":
    main(plan, {"command": command, "data": data, "ticks": ticks})
