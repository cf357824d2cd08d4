"""Dagster's pages, behind the guard; a process of its own, which `dev` and `serve` start."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from screening_pipeline.orchestration.guard import LOOPBACK, Guard


def serve(
    host: str, port: int, workspace: str, *, allowed: Sequence[str], path_prefix: str, is_read_only: bool
) -> None:
    """Serve the pages of the instance at DAGSTER_HOME until a signal ends it."""
    target = WorkspaceFileTarget(paths=[workspace])
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, target, version=dg.__version__, read_only=is_read_only) as context,
    ):
        app = create_app_from_workspace_process_context(context, path_prefix, lifespan=_lifespan)
        guarded = Guard(app, {*LOOPBACK, host, *allowed})
        uvicorn.run(guarded, host=host, port=port, log_level="warning")


@asynccontextmanager
async def _lifespan(_app: Any) -> AsyncIterator[None]:
    try:
        yield
    except asyncio.CancelledError:  # ended by a signal
        return


def main() -> None:
    """Read the arguments that `dev` and `serve` give, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--allow-host", action="append", default=[])
    parser.add_argument("--path-prefix", default="")
    parser.add_argument("--read-only", action="store_true")
    given = parser.parse_args()
    serve(
        given.host,
        given.port,
        given.workspace,
        allowed=given.allow_host,
        path_prefix=given.path_prefix,
        is_read_only=given.read_only,
    )


if __name__ == "__main__":
    main()
