"""From PyTorch: an nn.Module becomes a network (`netsor import`, `netsor.from_torch`).

The stages, in their order: `netsor.importer.record` follows the laws of weights while the factory runs at two widths,
`netsor.importer.export` takes the graphs of ATen operations, `netsor.importer.translate` carries them out on tensors of
terms by the table of `netsor.importer.operations`, `netsor.importer.network` reads off outputs, inputs and what is
trained, and `netsor.importer.text` writes, with loops found by `netsor.importer.nodes` and `netsor.importer.folding`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsor.importer.imported import Imported


def from_torch(factory: Callable[[int], Any], example: Any, *, init: Mapping[str, str] | None = None) -> Imported:
    """The network that `factory(n)`, an nn.Module of width n, is in its own initialization.

    `example` is the shape of one batch, such as (1, 4, 3), or a tensor, or a list of these where the module has several
    inputs; integers are tokens. `init` gives the law of a parameter in the place of the one recorded, as in
    {"q.weight": "N(0, 1/n)"}. The result is a `Document` with `.text`, with `.notes` of what was assumed, and with
    `.weights(module)`. Raises NetsorError where PyTorch is not installed (E028), and where the module is not a network
    or
    has no limit (E690), with the module's path and the line of its source.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        from netsor.diagnostics import NetsorError
        from netsor.diagnostics.catalogue.files import needs_extra

        raise NetsorError(needs_extra("reading a module", "PyTorch", "torch")) from None
    from netsor.importer.imported import import_module

    return import_module(factory, example, init=init)


__all__ = ["from_torch"]
