"""Results that are computed once for an object and kept for as long as that object exists."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def kept(compute: Callable[..., T]) -> Callable[..., T]:
    """`compute(owner, *key)`, computed once for each owner and key.

    Owners are told apart by identity: programs that are equal but were written in two places have different spans, and
    a message must point into its own.
    """
    found: dict[int, tuple[weakref.ref[Any], dict[tuple[Hashable, ...], T]]] = {}

    @wraps(compute)
    def get(owner: Any, *key: Hashable) -> T:
        at = id(owner)
        if at not in found:
            found[at] = weakref.ref(owner, lambda _: found.pop(at, None)), {}
        made = found[at][1]
        if key not in made:
            made[key] = compute(owner, *key)
        return made[key]

    return get
