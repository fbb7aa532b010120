"""The command line's arguments: a file with a factory, shapes and laws."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import files, networks
from netsor.importer.imported import Imported, import_module, verify_size
from netsor.importer.refusal import Refusal


def import_file(module: str, examples: Sequence[str], init: Sequence[str]) -> Imported:
    """The network of FILE.py:FACTORY; the file is run, as Python runs a file that is imported."""
    file, _, name = module.rpartition(":")
    if not file or not name.isidentifier():
        raise _usage(f"`{module}` does not name a factory", "FILE.py:FACTORY, as in model.py:make")
    laws = {}
    for text in init:
        path, equals, law = text.partition("=")
        if not equals:
            raise _usage(f"--init {text} gives no law", "--init 'q.weight=N(0, 1/n)'")
        laws[path.strip()] = law.strip()
    factory = _load(file, name)
    shapes = [_shape(e) for e in examples]
    return import_module(factory, shapes, init=laws, name=_network_name(name, file), origin=module)


def _network_name(name: str, file: str) -> str:
    stem = Path(file).stem
    chosen = stem if name in ("make", "factory", "build", "model") and stem.isidentifier() else name
    return chosen if chosen not in ("n", "network", "program", "data", "train") else f"{chosen}_net"


def _shape(text: str) -> Any:
    tokens = text.startswith("int:")
    try:
        shape = tuple(int(x) for x in text.removeprefix("int:").split(","))
        if any(s < 1 for s in shape):
            raise ValueError
    except ValueError:
        raise _usage(f"--example {text} is not a shape", "whole numbers with commas, as in --example 1,4,3") from None
    if not tokens:
        return shape
    try:
        verify_size([shape])
    except Refusal as refused:
        raise refused.error() from refused
    import torch

    return torch.zeros(shape, dtype=torch.long)


def _load(file: str, name: str) -> Any:
    path = Path(file)
    if not path.is_file():
        raise NetsorError(files.no_file(file))
    # A name that no other module has: model.py must not take the place of a package called model.
    spec = importlib.util.spec_from_file_location(f"netsor.importer.user.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise _usage(f"{file} is not a Python file", "FILE.py:FACTORY")
    loaded = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules[spec.name] = loaded  # where dataclasses and pickle look for the module of a class
    try:
        spec.loader.exec_module(loaded)
    except (Exception, SystemExit) as fault:
        raise NetsorError(networks.module_failed(file, fault)) from fault
    factory = getattr(loaded, name, None)
    if not callable(factory):
        raise _usage(f"{file} has no function `{name}`", "FILE.py:FACTORY, where FACTORY(n) returns the module")
    return factory


def _usage(message: str, wanted: str) -> NetsorError:
    return NetsorError(files.misused(message, f"write {wanted}"))
