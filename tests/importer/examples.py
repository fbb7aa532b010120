"""The registry that each file of modules has: the shape of the example of every factory, by its name."""

from __future__ import annotations

from typing import Any


class Examples(dict[str, Any]):
    def __call__(self, *shape: Any) -> Any:
        """A decorator that registers a factory with the shape of its example."""

        def register(factory: Any) -> Any:
            self[factory.__name__] = shape
            return factory

        return register
