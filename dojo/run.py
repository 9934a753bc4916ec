"""Run one kata in a process of its own, and know the verdict whatever the student's code does to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What became of one spec."""

    id: str
    """pytest's node id, relative to the root of the repository."""
    state: str
    """"green", "next" (not written yet), "wrong", or "inconclusive" (a timing that could not be judged)."""
    summary: str
    """One line."""
    text: str
    """The whole explanation, as it is printed."""
    owner: tuple[int, str] | None
    """For "next": the number of the kata and the function to write, such as (2, "Tensor.reshape")."""
    duration: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Result:
        owner = fields["owner"]
        return cls(**{**fields, "owner": owner and (owner[0], owner[1])})
