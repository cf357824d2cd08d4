"""The vendors, one module each. To add one, drop a file here; nothing else keeps a list. May import domain."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from screening_pipeline.domain.declaration import Vendor


@cache
def all_vendors() -> Mapping[str, Vendor]:
    """Every vendor by its slug, in alphabetical order."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    vendors = sorted((module.VENDOR for module in modules), key=lambda vendor: vendor.slug)
    return MappingProxyType({vendor.slug: vendor for vendor in vendors})


def vendor(slug: str) -> Vendor:
    """The vendor of that slug. Raises KeyError."""
    return all_vendors()[slug]
