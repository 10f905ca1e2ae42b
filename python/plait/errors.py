"""The exceptions of Plait, one type a kind, the same as in C++."""

from __future__ import annotations


class Error(Exception):
    """Base of all. The message is made of four parts, each an attribute.

    Attributes:
        where: bundle, modality, member or stage.
        expected: what would have been right.
        got: what came.
        action: what the reader can do; may be empty.
    """

    def __init__(self, *, where: str, expected: str, got: str, action: str = "") -> None:
        self.where = where
        self.expected = expected
        self.got = got
        self.action = action
        place = f"{where}: " if where else ""
        advice = f" {action}" if action else ""
        super().__init__(f"{place}expected {expected}, got {got}.{advice}")

    def __reduce__(self) -> tuple[object, ...]:
        parts = {
            "where": self.where,
            "expected": self.expected,
            "got": self.got,
            "action": self.action,
        }
        return (_rebuild, (type(self), parts))


def _rebuild(kind: type[Error], parts: dict[str, str]) -> Error:
    """Unpickles an error: its arguments are keywords, which pickle does not pass by itself."""
    return kind(**parts)


class BundleError(Error):
    """The file is not a bundle, is damaged, was altered, or is newer than this library."""


class SampleError(Error, ValueError):
    """A raw sample, or the set of samples, is not what the bundle declares."""


class BackendError(Error, RuntimeError):
    """A backend (ONNX Runtime) is missing, too old, or failed on a graph."""


class ConfigError(Error, ValueError):
    """An option of the caller's makes no sense: an unknown precision, a negative thread count."""
