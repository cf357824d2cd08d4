"""The names of assets, and when what is asked."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from screening_pipeline.domain.declaration import Endpoint, Schedule, Vendor
from screening_pipeline.vendors import all_vendors

OWNERS = ["team:data-engineering"]
RAW_ORDER = dg.AssetKey(["raw", "order"])
RAW_RESPONSE = dg.AssetKey(["raw", "response"])
SNAPSHOT = dg.AssetKey(["published", "snapshot"])


# Tables of the pipeline's own, which only it reads.
NO_ASSETS = ("raw.check", "ops.pull_plan")


def call_key(vendor: Vendor, endpoint: Endpoint) -> dg.AssetKey:
    """The key of what one call brings."""
    return dg.AssetKey([vendor.slug, endpoint.name])


def pulled_endpoints(vendor: Vendor) -> list[Endpoint]:
    """The calls that bring something about checks or packages; tokens and expiring links are no assets."""
    return [e for e in vendor.endpoints if e.subject is not None or e.is_destructive or e.is_list]


def made(
    context: dg.AssetExecutionContext, key: dg.AssetKey, metadata: Mapping[str, Any]
) -> dg.MaterializeResult[None]:
    """Say that an asset was made, and what there is to see of it.

    In the result the metadata would be stored twice, with the step's output as well as with the asset.
    """
    context.add_asset_metadata(metadata, asset_key=key)
    return dg.MaterializeResult(asset_key=key)


def table_key(name: str) -> dg.AssetKey:
    """The key of `schema.table`."""
    return dg.AssetKey(name.split("."))


EVERY_MINUTE = "* * * * *"


def schedule_name(vendor: Vendor, schedule: Schedule) -> str:
    """`<slug>_pull` where a vendor has one schedule, else with the call that it begins with."""
    if len(vendor.schedules) == 1:
        return f"{vendor.slug}_pull"
    return f"{vendor.slug}_{schedule.endpoints[0].name}_pull"


PULLS = [(vendor, schedule) for vendor in all_vendors().values() for schedule in vendor.schedules]
