"""Dagster's daemon with the pipeline's own event log; a process of its own, which `dev` and `serve` start.

Runs open the instance as the daemon has it, so they write events by it, too: in half the room and a third of the time.
"""

import argparse
import os
from pathlib import Path

from dagster._cli.utils import get_instance_for_cli
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.controller import daemon_controller_from_instance
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

from screening_pipeline.orchestration.event_log import mind_signs_in_paths
from screening_pipeline.orchestration.instance import own_ref
from screening_pipeline.settings import load


def run(workspace: str) -> None:
    """Run the daemon until a signal ends it: Dagster's own command, but for the storage."""
    setup_interrupt_handlers()
    mind_signs_in_paths()
    paths = load.load(os.environ, Path.cwd()).paths
    is_own_home = paths.dagster.resolve() == (paths.data_dir / "dagster").resolve()
    with (
        capture_interrupts(),
        get_instance_for_cli(instance_ref=own_ref(paths) if is_own_home else None) as instance,
        daemon_controller_from_instance(
            instance, workspace_load_target=WorkspaceFileTarget(paths=[workspace]), log_level="warning"
        ) as controller,
    ):
        controller.check_daemon_loop()


def main() -> None:
    """Read the arguments that `dev` and `serve` give, and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workspace", required=True)
    given = parser.parse_args()
    try:
        run(given.workspace)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
