"""Elements of SVG and HTML, and the data of paths, with numbers to a tenth of a pixel."""

from __future__ import annotations

from html import escape

Value = str | float


def tag(name: str, inside: str | None = None, **attributes: Value) -> str:
    """An element; `cls` is its class, and an underscore in an attribute's name stands for a hyphen."""
    text = "".join(f' {_name(k)}="{_value(v)}"' for k, v in attributes.items())
    return f"<{name}{text}/>" if inside is None else f"<{name}{text}>{inside}</{name}>"


def path(*parts: Value) -> str:
    """Path data from its letters and numbers."""
    return " ".join(_value(p) for p in parts)


def _name(key: str) -> str:
    return "class" if key == "cls" else key.replace("_", "-")


def _value(value: Value) -> str:
    return escape(value, quote=True) if isinstance(value, str) else f"{value:.1f}"
