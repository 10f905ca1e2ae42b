"""A bundle file, opened and checked by the core."""

from __future__ import annotations

import json
import os
from functools import cached_property
from typing import Any

from plait import _core


class Bundle:
    """An opened bundle: its manifest and its members, mapped read-only.

    Raises:
        BundleError: the file is missing, not a bundle, damaged, altered or too new.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._core = _core.Bundle(os.fspath(path))

    @property
    def name(self) -> str:
        """The file's name."""
        return self._core.name()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest, as docs/bundle.md describes it. The core has checked it."""
        manifest: dict[str, Any] = json.loads(self._core.manifest_json())
        return manifest

    def read(self, member: str, verify: bool = True) -> memoryview:
        """A member's bytes, not copied. Raises BundleError when its SHA-256 is another."""
        return self._core.read(member, verify)

    def verify(self) -> None:
        """Checks the SHA-256 of every member. Raises BundleError at the first that differs."""
        self._core.verify()
