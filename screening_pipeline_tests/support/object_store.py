"""An object store of the tests' own: a server on loopback that speaks as S3 does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4


@dataclass
class ObjectStore:
    """A running store. `environ`: where clients that know AWS's variables find it."""

    port: int = 0
    _server: Any = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve; after `stop` at the same port, and with what lay there."""
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.stop()

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables of a client."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "of-a-test",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_bucket(self, name: str, *, is_locked: bool = False) -> str:
        """Make a bucket, whose name begins with `name`; its address. `is_locked`: with object lock."""
        made = f"{name}-{uuid4().hex[:8]}"  # servers of one process share what lies in them
        place = {"LocationConstraint": self.environ["AWS_DEFAULT_REGION"]}
        self._client().create_bucket(Bucket=made, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=is_locked)
        return f"s3://{made}/"

    def keys(self, address: str) -> list[str]:
        """What lies in a bucket."""
        return [one["Key"] for one in self._client().list_objects_v2(Bucket=_named(address)).get("Contents", [])]

    def put(self, address: str, key: str, content: bytes = b"") -> None:
        """Put an object there."""
        self._client().put_object(Bucket=_named(address), Key=key, Body=content)

    def delete(self, address: str, key: str) -> None:
        """Delete an object."""
        self._client().delete_object(Bucket=_named(address), Key=key)

    def keep_versions(self, address: str, status: str) -> None:
        """Have a bucket keep versions of what is deleted ("Enabled"), or no longer ("Suspended")."""
        self._client().put_bucket_versioning(Bucket=_named(address), VersioningConfiguration={"Status": status})

    def versions(self, address: str) -> list[str]:
        """The key of every version and every mark of a deletion that a bucket has kept."""
        found = self._client().list_object_versions(Bucket=_named(address))
        return [one["Key"] for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, [])]

    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="of-a-test",
            region_name=self.environ["AWS_DEFAULT_REGION"],
        )


def _named(address: str) -> str:
    return urlsplit(address).netloc


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Context manager: a store with nothing in it."""
    store = ObjectStore()
    store.start()
    try:
        yield store
    finally:
        store.stop()
