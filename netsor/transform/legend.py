"""The notation of a derived program, as lines of comment that are printed above it."""

from __future__ import annotations

import re
from typing import Any

from netsor.core import Program


def backward_legend(network: Program, waiting: bool = False) -> tuple[str, ...]:
    """The notation of a program made by `backward`, and how to give its inputs where they are `waiting` for numbers."""
    lines = [
        f"Forward and backward pass of the network {network.name} (Eqs. 74-78).",
        "dx is √n ∂f/∂x at a vector x, (1/√n) ∂f/∂a at a scalar a (D.4.5); where f = vᵀ x / √n, dx is v itself.",
    ]
    if len(network.readouts) > 1:
        names = ", ".join(f"{j} is {r.name}" for j, r in enumerate(network.readouts, start=1))
        lines.append(f"The last index of a dx is the output: {names}.")
    if waiting:
        names = "".join(f" --data {i.name}=X.npy" for i in network.inputs)
        lines.append(f"Its inputs wait for their numbers: every command takes them as{names}.")
        lines.append("`netsor eval` reports outputs: add a line such as output mean(x^2) for each number wanted.")
    return tuple(lines)


def sgd_legend(network: Program, f0: Any = "zero", condition: bool = True) -> tuple[str, ...]:
    """The notation of a program made by `sgd` with these arguments, and which training run it describes."""
    lines = [
        f"SGD on the network {network.name}, written out (Eqs. 79-90).",
        "h_t[i] is h at step t on training row i, h̃_t[j] on test row j; no subscript is step 0.",
        "δh_t is √n (h_t - h_{t-1}), dh_t is √n ∂f/∂h at step t, χ[t,i] the loss derivative on row i.",
        "Output f[t,i] is f at step t on training row i, f̃[t,j] on test row j.",
    ]
    names = [x.partition("[")[0] for x in (*network.by_name, *network.embedding, *network.group_of)]
    if numbered := [x for x in names if re.search(r"_\d+$", x)]:
        lines.insert(2, f"Here step 1 is written h_t1, for the network has names such as {numbered[0]}.")
    if isinstance(f0, str) and f0 == "network":
        lines.append("f[0,i] is the network's own vᵀ x / √n, which has no limit and so is not a scalar of a program:")
        lines.append("for finite widths only; `netsor train --f0 network --width N` runs it.")
        lines.append("`netsor check` and `netsor eval` refuse it with E501; other --f0 give a program with a limit.")
    elif condition:
        lines.append("v̂ is v conditioned on the outputs f[0,i] (Eq. 71); in the limit it is v.")
    else:
        lines.append("v stands for v̂ (Eq. 71): the limit is that of SGD, a finite width is nobody's training run.")
    return tuple(lines)
