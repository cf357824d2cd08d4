"""A bucket of an object store that speaks as S3 does: what lies in it, and whether it forgets what is deleted.

Keys and the address of the store come from where AWS's own tools look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from screening_pipeline.base.errors import ConfigurationError, EnvironmentFailed

_NO_LOCK = ("ObjectLockConfigurationNotFoundError", "NotImplemented", "NoSuchObjectLockConfiguration")


def is_bucket(address: str) -> bool:
    """Whether an address names a bucket, and not a folder."""
    return urlsplit(address).scheme == "s3"


def sizes(address: str, where: str) -> dict[str, int]:
    """Bytes by name below an `s3://bucket/prefix`. `where`: the key of the address, told in errors.

    Raises ConfigurationError, EnvironmentFailed.
    """
    bucket, prefix = _parted(address)
    with told(where):
        pages = _client(where).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {one["Key"].removeprefix(prefix): one["Size"] for page in pages for one in page.get("Contents", ())}


def why_it_remembers(address: str, where: str) -> str | None:
    """What keeps objects of a bucket that were deleted; None where nothing does.

    Raises ConfigurationError, EnvironmentFailed, also where we may not ask.
    """
    bucket, prefix = _parted(address)
    with told(where):
        asked = _client(where)
        status = asked.get_bucket_versioning(Bucket=bucket).get("Status")
        if status == "Enabled":
            return f"the bucket {bucket} keeps versions of what is deleted"
        if _is_locked(asked, bucket):
            return f"the bucket {bucket} has object lock"
        if status and _has_old_versions(asked, bucket, prefix):
            return f"the bucket {bucket} has kept old versions from when it did"
    return None


def require_forgetting(address: str, where: str) -> None:
    """Raise ConfigurationError where a bucket keeps what is deleted; otherwise as `why_it_remembers`."""
    if remembers := why_it_remembers(address, where):
        problem = f"{remembers}, and an erasure would not erase; turn that off and delete what it kept, or name another"
        raise ConfigurationError([problem], source=where)


def _is_locked(asked: Any, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = asked.get_object_lock_configuration(Bucket=bucket)
    except ClientError as problem:
        if _code(problem) in _NO_LOCK:
            return False
        raise
    return bool(found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled")


def _has_old_versions(asked: Any, bucket: str, prefix: str) -> bool:
    pages = asked.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    return any(page.get("DeleteMarkers") or any(not v["IsLatest"] for v in page.get("Versions", ())) for page in pages)


def _parted(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


def _client(where: str) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ModuleNotFoundError:
        problem = "needs the package boto3: install screening-pipeline[cluster]"
        raise ConfigurationError([problem], source=where) from None
    return boto3.client("s3", config=Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 3}))


def _code(problem: Any) -> str:
    return str(problem.response.get("Error", {}).get("Code", "?"))


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turn what a store says into EnvironmentFailed: by its code, since its texts quote keys."""
    try:
        yield
    except (ConfigurationError, EnvironmentFailed):
        raise
    except Exception as problem:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        if isinstance(problem, NoCredentialsError):
            words = "names an object store, and there are no keys for it: set AWS_ACCESS_KEY_ID, or what AWS reads"
            raise ConfigurationError([words], source=where) from None
        if isinstance(problem, ClientError):
            words = f"{where}: the object store says {_code(problem)}; see that the bucket is there, and lets us in"
        elif isinstance(problem, BotoCoreError):
            words = f"{where}: the object store cannot be reached ({type(problem).__name__})"
        else:
            raise
        raise EnvironmentFailed(words, code="objects_failed") from None
