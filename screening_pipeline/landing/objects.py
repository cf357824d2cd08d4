"""Where pieces of a shared landing area lie: objects of a bucket (S3), or files of a folder that all machines mount.

A piece is written once, under a name that its content gave it, and replaced only by an erasure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed, PlaceOutOfReach
from screening_pipeline.base.failures import telling
from screening_pipeline.base.files import make_folder, mark_of, write_new, write_once

KEY = "landing.url"
_ALREADY_THERE = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class Objects(Protocol):
    """Named contents. Raises PlaceOutOfReach where the place cannot be reached, or takes nothing."""

    def put_new(self, name: str, content: bytes) -> None:
        """Keep a content, durably; nothing where the name is there already."""

    def replace(self, name: str, content: bytes) -> None:
        """Put another content in its place, as a whole."""

    def get(self, name: str) -> bytes:
        """The content."""

    def names(self) -> Mapping[str, str]:
        """All names, each with a mark that is another one when the content is."""

    def delete(self, name: str) -> None:
        """Remove it."""


def objects_at(url: str, key: str = KEY) -> Objects:
    """The objects at `s3://bucket/prefix`, or below the folder of a `file://` URL; `key` names it in errors.

    Raises ConfigurationError.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        return BucketObjects(parts.netloc, parts.path.strip("/"), key)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return FolderObjects(Path(unquote(parts.path)), key)
    raise ConfigurationError(["must be s3://bucket/prefix, or file:///folder that all machines mount"], source=key)


class FolderObjects:
    """Files below a folder."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._key = key

    def put_new(self, name: str, content: bytes) -> None:
        with self._told(len(content)):
            path = self._folder / name
            make_folder(path.parent)
            write_once(path, content)

    def replace(self, name: str, content: bytes) -> None:
        with self._told(len(content)):
            write_new(self._folder / name, content)

    def get(self, name: str) -> bytes:
        with self._told():
            return (self._folder / name).read_bytes()

    def names(self) -> Mapping[str, str]:
        with self._told():
            found = [path for path in self._folder.rglob("*") if path.is_file()]  # drafts of a crash among them
            return {str(path.relative_to(self._folder)): str(mark_of(path)) for path in sorted(found)}

    def delete(self, name: str) -> None:
        with self._told():
            (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def _told(self, needed_bytes: int = 0) -> Iterator[None]:
        try:
            with telling(self._key, needed_bytes, self._folder):
                yield
        except EnvironmentFailed as problem:
            raise PlaceOutOfReach(str(problem), code=problem.code) from None


class BucketObjects:
    """Objects of a bucket below a prefix; keys and the address of the store come from where AWS's own tools look."""

    def __init__(self, bucket: str, prefix: str, key: str) -> None:
        self._key = key
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ModuleNotFoundError:
            problem = "needs the package boto3: install screening-pipeline[cluster]"
            raise ConfigurationError([problem], source=self._key) from None
        given = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})
        return boto3.client("s3", config=given)

    def put_new(self, name: str, content: bytes) -> None:
        from botocore.exceptions import ClientError

        with self._told():
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content, IfNoneMatch="*")
            except ClientError as problem:
                if problem.response.get("Error", {}).get("Code") not in _ALREADY_THERE:
                    raise

    def replace(self, name: str, content: bytes) -> None:
        with self._told():
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content)

    def get(self, name: str) -> bytes:
        with self._told():
            found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            return bytes(found["Body"].read())

    def names(self) -> Mapping[str, str]:
        with self._told():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            found = [one for page in pages for one in page.get("Contents", ())]
        return {str(one["Key"]).removeprefix(self._prefix): f"{one['ETag']} {one['Size']}" for one in found}

    def delete(self, name: str) -> None:
        with self._told():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the store says into EnvironmentFailed: by its code, since its texts quote keys."""
        client = self._client
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError

        try:
            yield
        except NoCredentialsError:
            problem = "names an object store, and there are no keys for it: set AWS_ACCESS_KEY_ID, or what AWS reads"
            raise ConfigurationError([problem], source=self._key) from None
        except ClientError as problem:
            code = problem.response.get("Error", {}).get("Code", "?")
            told = f"{self._key}: the bucket {self._bucket} says {code}; see that it is there and lets us in"
            raise PlaceOutOfReach(told, code="objects_failed") from None
        except (BotoCoreError, HTTPClientError) as problem:
            told = f"{self._key}: {client.meta.endpoint_url} cannot be reached ({type(problem).__name__})"
            raise PlaceOutOfReach(told, code="objects_unreachable") from None
