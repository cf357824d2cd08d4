"""Who may read what is published: the group of the folder, which all that is written into it follows."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening_pipeline.base import files
from screening_pipeline.base.errors import ConfigurationError

if TYPE_CHECKING:
    from screening_pipeline.settings.settings import Settings

_SOURCE = "publish.group"


def give_to_group(settings: Settings) -> None:
    """Give the folder of published files, and what lies in it, to the configured group, unless that is done.

    Raises ConfigurationError where there is no such group, or this user may not give files to it.
    """
    folder = settings.paths.published.parent
    if settings.publish.group is None or not folder.is_dir():
        return
    group = _group_id(settings.publish.group)
    if folder.stat().st_gid == group and stat.S_IMODE(folder.stat().st_mode) == files.SHARED_FOLDER_MODE:
        return
    try:
        os.chown(folder, -1, group)
    except PermissionError:
        user = _name_of(pwd.getpwuid, os.getuid())
        problem = f"is a group that {user} is not in: `usermod -aG {settings.publish.group} {user}`, then log in anew"
        raise ConfigurationError([problem], source=_SOURCE) from None
    folder.chmod(files.SHARED_FOLDER_MODE)
    for path in _inside(folder):
        files.share(path)


def _inside(folder: Path) -> Iterator[Path]:
    """All that lies in a folder, each folder before what is in it; links are left alone."""
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink() and not any(above.is_symlink() for above in path.relative_to(folder).parents):
            yield path


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        problem = f"{name!r} is no group of this machine: `groupadd {name}` makes it"
        raise ConfigurationError([problem], source=_SOURCE) from None


@dataclass(frozen=True)
class Readers:
    """Who can read the published files: their group, its members, and folders on the way that keep them out."""

    group: str
    members: tuple[str, ...]
    is_for_all: bool
    closed: tuple[Path, ...]

    @property
    def words(self) -> str:
        """Who it is, in words."""
        if self.is_for_all:
            return "everybody on this machine"
        others = ", ".join(self.members) if self.members else "nobody else is in it"
        return f"this user and group {self.group} ({others})"


def readers(settings: Settings) -> Readers | None:
    """Who can read the snapshot; None before there is one."""
    snapshot = settings.paths.published
    if not snapshot.exists():
        return None
    found = snapshot.stat()
    return Readers(
        group=_name_of(grp.getgrgid, found.st_gid),
        members=_members(found.st_gid),
        is_for_all=bool(found.st_mode & stat.S_IROTH),
        closed=tuple(_closed(snapshot.absolute().parent, found.st_gid)),
    )


def _closed(folder: Path, group: int) -> Iterator[Path]:
    """The folders on the way that neither the group nor all others may pass through."""
    for above in (folder, *folder.parents):
        found = above.stat()
        is_open = found.st_mode & (stat.S_IXGRP if found.st_gid == group else stat.S_IXOTH)
        if not is_open:
            yield above


def _members(group: int) -> tuple[str, ...]:
    own = os.getuid()
    named = set(_listed(group)) | {user.pw_name for user in pwd.getpwall() if user.pw_gid == group}
    return tuple(sorted(named - {_name_of(pwd.getpwuid, own)}))


def _listed(group: int) -> list[str]:
    try:
        return grp.getgrgid(group).gr_mem
    except KeyError:
        return []


def _name_of(look_up: Callable[[int], Any], number: int) -> str:
    """The name of a user or group, or its number where it has none, as in containers."""
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)
