"""Whether the buckets that hold people's data forget what is deleted: where one does not, no erasure would be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening_pipeline.base import bucket

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings


def buckets(settings: Settings) -> dict[str, str]:
    """The address of each bucket that an erasure has to reach, by the key that names it."""
    named = {"landing.url": settings.landing.url}
    if settings.engine == "ducklake":
        named["warehouse.data_path"] = settings.warehouse.data_path
        named["warehouse.published_data_path"] = settings.warehouse.published_data_path
    return {key: address for key, address in named.items() if address and bucket.is_bucket(address)}


def require_forgetting(settings: Settings) -> None:
    """Raise ConfigurationError where a bucket keeps what is deleted, EnvironmentFailed where that cannot be asked."""
    for key, address in buckets(settings).items():
        bucket.require_forgetting(address, key)
