"""Asset keys and schedule names."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import dagster as dg

from screening_pipeline.domain.declaration import Endpoint, Vendor
from screening_pipeline.orchestration.installation import OWN_RUN, key, path_of

OWNERS = ["team:data-engineering"]
RAW_ORDER = key("raw", "order")
RAW_RESPONSE = key("raw", "response")
SNAPSHOT = key("published", "snapshot")
PARQUET = key("published", "parquet")
# The step that asks every vendor, and its pool.
PULL = "pull"
# The tag of a run that says what it was asked for by; runs of the pipeline's own jobs have it.
TRIGGER = "screening/trigger"


# Of what several machines ask for: the tag of a run that asks some accounts, and of one that brings what came into the
# star. A queue may bound both (docs/scaling.md).
SHARD, MERGE = "screening/shard", "screening/merge"


def run_tags(trigger: str) -> dict[str, str]:
    """The tags of a run of this installation that something asked for."""
    return {TRIGGER: trigger, **OWN_RUN}


# Everything downstream is brought up to date by the run that changes something, and views are always of now: to Dagster
# nothing is out of step until this program changes what it makes.
_VERSION = version("screening-pipeline")
_DATA_VERSION = dg.DataVersion(_VERSION)


# Tables of the pipeline's own, which only it reads.
NO_ASSETS = ("raw.check", "ops.pull_plan")


def call_key(vendor: Vendor, endpoint: Endpoint) -> dg.AssetKey:
    """The asset key of one vendor call."""
    return key(vendor.slug, endpoint.name)


def pulled_endpoints(vendor: Vendor) -> list[Endpoint]:
    """The endpoints that are assets: those that bring checks or packages, no tokens or expiring links."""
    return [e for e in vendor.endpoints if e.subject is not None or e.is_destructive or e.is_list]


def main_call(vendor: Vendor) -> dg.AssetKey:
    """The asset that tells how a vendor's accounts answer: its first call by id."""
    return call_key(vendor, next(endpoint for endpoint in pulled_endpoints(vendor) if endpoint.is_by_id))


def call_keys(vendor: Vendor) -> list[dg.AssetKey]:
    """The assets of all calls of a vendor."""
    return [call_key(vendor, endpoint) for endpoint in pulled_endpoints(vendor)]


def made(
    context: dg.AssetExecutionContext, asset: dg.AssetKey, metadata: Mapping[str, Any]
) -> dg.MaterializeResult[None]:
    """Log the materialization of an asset with its metadata; the result to yield, without it.

    In the result the metadata would be stored twice, with the step's output as well as with the asset. Where the asset
    is called as a function, as in tests, the result has it.
    """
    if is_called(context):
        return dg.MaterializeResult(asset_key=asset, metadata=metadata)
    if metadata:
        context.add_asset_metadata(metadata, asset_key=asset)
    return dg.MaterializeResult(asset_key=asset, data_version=_DATA_VERSION)


def version_tags(spec: dg.AssetSpec) -> dict[str, str]:
    """The tags of a materialization that is an event and no result: those that Dagster gives to results.

    Without them Dagster takes an asset for left behind as soon as one that it depends on is made again.
    """
    tags = {"dagster/data_version": _VERSION, "dagster/code_version": _VERSION}
    for name in (dep.asset_key.to_user_string() for dep in spec.deps):
        tags |= {f"dagster/input_data_version/{name}": _VERSION, f"dagster/input_event_pointer/{name}": "NULL"}
    return tags


def is_called(context: dg.AssetExecutionContext) -> bool:
    """Whether an asset is called as a function (`dg.build_asset_context`), and no run of Dagster's is under way."""
    return run_id_of(context) == "EPHEMERAL"  # Dagster's name for it


def run_id_of(context: dg.AssetExecutionContext) -> str:
    """The id of the run; of a call as a function, too."""
    return context.op_execution_context.run_id


def table_key(name: str) -> dg.AssetKey:
    """The asset key of `schema.table`."""
    return key(*name.split("."))


def table_name(asset: dg.AssetKey) -> str:
    """`schema.table` of an asset key."""
    return ".".join(path_of(asset))


# Feeds wait for nobody: every minute costs 2 % of HireRight's budget. Who answers within minutes is asked as often. A
# tick at which nothing is due costs no run.
EVERY_MINUTE, OFTEN = "* * * * *", "*/5 * * * *"


def pull_cron(vendor: Vendor) -> str:
    """How often whatever is due of a vendor is looked for: every minute where it declares so, or answers as quickly."""
    is_quick = vendor.prior.first_pull_seconds < 300
    return EVERY_MINUTE if is_quick or any(s.cron == EVERY_MINUTE for s in vendor.schedules) else OFTEN
