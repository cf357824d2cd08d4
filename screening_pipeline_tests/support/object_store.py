"""An object store of the tests' own: a server on loopback that speaks as S3 does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ObjectStore:
    """A running store. `environ`: where clients that know AWS's variables find it."""

    url: str

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

    def new_bucket(self, name: str) -> str:
        """Make a bucket; its address."""
        self._client().create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.environ["AWS_DEFAULT_REGION"]}
        )
        return f"s3://{name}/"

    def keys(self, bucket: str) -> list[str]:
        """What lies in a bucket."""
        return [one["Key"] for one in self._client().list_objects_v2(Bucket=bucket).get("Contents", [])]

    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="of-a-test",
            region_name=self.environ["AWS_DEFAULT_REGION"],
        )


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Context manager: a store with nothing in it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield ObjectStore(f"http://{host}:{port}")
    finally:
        server.stop()
