"""Expressions and definitions nest deeper than Python's own stack goes, so the checker keeps a stack of its own.

A function that needs the value of a part of the tree is a coroutine and awaits it, `left = await ctx.value(node.left)`.
`run` starts a coroutine of its own for the part, and sends the value to the one that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from netsor.syntax import ast

T = TypeVar("T")
Task = Coroutine[ast.Node, Any, T]


def run(task: Task[T], visit: Callable[[ast.Node], Task[Any]]) -> T:
    """The result of a coroutine; each node that it awaits, or that one below it awaits, is `visit`ed."""
    waiting: list[Task[Any]] = [task]
    result: Any = None
    error: BaseException | None = None
    while waiting:
        top = waiting[-1]
        try:
            node = top.send(result) if error is None else top.throw(error)
        except StopIteration as end:
            del waiting[-1]
            result, error = end.value, None
        except BaseException as raised:  # it goes on in the coroutine that waits
            del waiting[-1]
            result, error = None, raised
        else:
            waiting.append(visit(node))
            result, error = None, None
    if error is not None:
        raise error
    done: T = result
    return done
