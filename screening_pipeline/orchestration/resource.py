"""The Dagster resource that gives steps their runtime."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from screening_pipeline.orchestration.installation import OWN_RUN, is_shared
from screening_pipeline.orchestration.keys import run_id_of
from screening_pipeline.orchestration.liveness import alive, locks_of
from screening_pipeline.runtime.context import Runtime
from screening_pipeline.runtime.opening import runtime_of_process
from screening_pipeline.runtime.results import StepResult, note_step


class Screening(dg.ConfigurableResource[Any]):
    """The Dagster resource that holds the runtime.

    It holds nothing that Dagster could show: settings are read where the run runs.
    """

    _runtime: Runtime = PrivateAttr()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Screening"]:
        """Open the runtime for the length of the run, and hold the run's liveness lock."""
        run_id = context.run.run_id if context.run else "none"
        with runtime_of_process() as runtime:
            locks = locks_of(context.instance, runtime.settings.paths) if context.instance else runtime.locks
            _claim(context, runtime)
            with alive(locks, run_id):
                self._runtime = runtime
                yield self

    @property
    def runtime(self) -> Runtime:
        """The runtime of this run."""
        return self._runtime


def _claim(context: dg.InitResourceContext, runtime: Runtime) -> None:
    """Tag a run that somebody put together as ours, where there are others' as well; jobs have the tag of their own."""
    run, instance = context.run, context.instance
    if run and instance and is_shared(instance, runtime.settings.paths) and not OWN_RUN.items() <= run.tags.items():
        instance.add_run_tags(run.run_id, OWN_RUN)


def note(context: dg.AssetExecutionContext, runtime: Runtime, step: str, result: StepResult) -> None:
    """Store a step's result in the run ledger, for later steps, which may run in another process."""
    note_step(runtime.ledger, run_id_of(context), step, result, now=runtime.clock.now())
