"""Values: made once, read everywhere, never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class a dataclass by keywords, with slots, whose fields are set once: mypy sees to that.

    Nothing does at run time: with the guard of `dataclass(frozen=True)` a value of eight fields takes 1.2 µs to make, without
    it 0.5, and a job makes some forty on its way.
    """
    return dataclass(kw_only=True, slots=True, unsafe_hash=True)(cls)
