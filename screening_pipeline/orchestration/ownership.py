"""Owners and tags of the assets, as the configuration names them."""

from collections.abc import Sequence

import dagster as dg

from screening_pipeline.orchestration.installation import operations
from screening_pipeline.settings.settings import Operations


def owned(assets: Sequence[dg.AssetsDefinition]) -> Sequence[dg.AssetsDefinition]:
    """The assets with the owners and tags of `[operations]`; as they are where it names none."""
    named = operations()
    if not named.owners and not named.tags:
        return assets
    return dg.map_asset_specs(lambda spec: _with(spec, named), assets)


def _with(spec: dg.AssetSpec, named: Operations) -> dg.AssetSpec:
    return spec.replace_attributes(owners=list(named.owners) or spec.owners, tags={**spec.tags, **named.tags})
