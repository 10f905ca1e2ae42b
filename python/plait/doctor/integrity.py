"""Is the file what it was when it was written? The SHA-256 of every member, each on its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plait


@dataclass(frozen=True)
class Integrity:
    """What checking the members of one bundle found.

    damaged: member -> what is wrong with it.
    """

    bundle: str
    members: int
    bytes: int
    damaged: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether every member has the size and the SHA-256 that the manifest states."""
        return not self.damaged

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dumps."""
        return {
            "bundle": self.bundle,
            "ok": self.ok,
            "members": self.members,
            "bytes": self.bytes,
            "damaged": self.damaged,
        }


def check_integrity(
    path: str | os.PathLike[str], progress: Callable[[str, int, int], None] | None = None
) -> Integrity:
    """Checks the hash of every member and names all that differ, not only the first.

    Raises BundleError where the file can't be opened as a bundle at all.
    """
    bundle = plait.Bundle(path)
    members = bundle.manifest["members"]
    damaged: dict[str, str] = {}
    for done, member in enumerate(members, 1):
        try:
            bundle.read(member, verify=True)
        except plait.BundleError as error:
            damaged[member] = str(error)
        if progress is not None:
            progress("hashes", done, len(members))
    return Integrity(os.fspath(path), len(members), os.path.getsize(path), damaged)
