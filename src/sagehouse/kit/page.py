"""One page of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """`next_token` is None on the last page; otherwise it resumes exactly after the last item."""

    items: Sequence[T]
    next_token: str | None = None
