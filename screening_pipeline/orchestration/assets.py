"""The assets of a cycle: the orders, one per vendor and call, the tables of the star, and the snapshot.

All calls are made by one step, and all tables by another: steps cost, a table is not made alone, and accounts are asked
side by side whoever their vendor is.
"""

from dataclasses import asdict

import dagster as dg

from screening_pipeline.cycle import take_orders
from screening_pipeline.orchestration.installation import prefixed
from screening_pipeline.orchestration.keys import OWNERS, RAW_ORDER, made, run_id_of
from screening_pipeline.orchestration.pulling import pull
from screening_pipeline.orchestration.resource import Screening, note
from screening_pipeline.orchestration.tables import star
from screening_pipeline.runtime.results import StepResult

STEP = "raw__order"


@dg.asset(
    key=RAW_ORDER,
    group_name=prefixed("intake"),
    kinds={"csv", "duckdb"},
    owners=OWNERS,
    description="Orders from the manifests in data/orders/: which checks exist. Each file is read once, by content.",
)
def raw_order(context: dg.AssetExecutionContext, screening: Screening) -> dg.MaterializeResult[None]:
    """Read new manifests and number the checks they announce."""
    runtime = screening.runtime
    begun_at = runtime.clock.now()
    taken = take_orders.take_orders(runtime, run_id=run_id_of(context))
    note(context, runtime, STEP, StepResult(begun_at=begun_at, intake=taken.intake, settled=taken.settled))
    counts = asdict(taken.intake)
    if not counts["waiting"]:  # which files wait, and why, where any do
        del counts["waiting"]
    return made(context, RAW_ORDER, counts)


ASSETS = [raw_order, pull, star]
