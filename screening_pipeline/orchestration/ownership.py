"""Owners and tags of the assets, as the configuration names them."""

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from screening_pipeline.base.errors import ScreeningError
from screening_pipeline.settings import load
from screening_pipeline.settings.settings import Operations


def owned(assets: Sequence[dg.AssetsDefinition]) -> Sequence[dg.AssetsDefinition]:
    """The assets with the owners and tags of `[operations]`; as they are where it names none."""
    named = _named()
    if not named.owners and not named.tags:
        return assets
    return dg.map_asset_specs(lambda spec: _with(spec, named), assets)


def _named() -> Operations:
    """What the configuration names; nothing where it cannot be read, which sensors, schedules and runs tell."""
    try:
        return load.load(os.environ, Path.cwd()).operations
    except ScreeningError:
        return Operations()


def _with(spec: dg.AssetSpec, named: Operations) -> dg.AssetSpec:
    return spec.replace_attributes(owners=list(named.owners) or spec.owners, tags={**spec.tags, **named.tags})
