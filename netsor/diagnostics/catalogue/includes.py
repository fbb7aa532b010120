"""E26x: what a file includes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import line_removed, plural, said
from netsor.diagnostics.data import Diagnostic, Edit, Label, Span

_HOW = 'a path is relative to the file that includes, as in `include "blocks.netsor"`'

E261 = Entry(
    "E261",
    "a file that cannot be included",
    "`include` takes a path relative to the folder of the file that it stands in. The file must be there, and within "
    "the project: the nearest folder that holds `.git`, `.hg` or `pyproject.toml`, else the folder that netsor was "
    "started in. A text without a place of its own, such as standard input, needs one to include files: "
    "`--stdin-filename`, or the `name` of `netsor.loads`. `include std` is the standard library and needs none.",
    bad='include "no such file.netsor"\nvector x ~ N(0, 1)\noutput mean(x^2)\n',
    good="include std\nvector x ~ N(0, 1)\noutput mean(x^2)\n",
)


def missing(span: Span, path: str, name: str, near: str) -> Diagnostic:
    """`near` is what may have been meant, as it would be written."""
    edits = (Edit(span, f"include {near}"),) if near else (line_removed(span),)
    hint = f"did you mean {said(edits[0])}?" if near else "correct the path, or remove this line"
    return E261(f"there is no file `{name}` to include", span, "not found", notes=(_HOW,), hint=hint, edits=edits)


def no_path(span: Span) -> Diagnostic:
    edits = (Edit(span, "include std"), line_removed(span))
    hint = f"write {said(edits[0])}, or the path of a file"
    return E261("an include without a path", span, "a path is missing", notes=(_HOW,), hint=hint, edits=edits)


def no_folder(span: Span, path: str, name: str) -> Diagnostic:
    return E261(
        f"`{path}` is relative to the file that includes it, and {name or 'this text'} is not in a folder",
        span,
        "relative to what?",
        hint="say where the text belongs, by `--stdin-filename nets/mlp.netsor` or `loads(text, name=…)`",
    )


def absolute(span: Span, path: str, relative: str) -> Diagnostic:
    edits = tuple(Edit(span, f'include "{path}"') for path in (relative,) if path)
    hint = f"write {said(edits[0])}" if edits else "copy the file into the project and include it from there"
    return E261(
        f"`{path}` is an absolute path",
        span,
        "would be found on this machine alone",
        notes=(_HOW,),
        hint=hint,
        edits=edits,
    )


def backslashes(span: Span, path: str) -> Diagnostic:
    edits = (Edit(span, 'include "' + re.sub(r"\\+", "/", path) + '"'),)
    return E261(
        f"there is no file `{path}` to include",
        span,
        "folders are separated by `/`",
        hint=f"write {said(edits[0])}",
        edits=edits,
    )


def above(span: Span, path: str, root: str) -> Diagnostic:
    return E261(
        f"`{path}` lies outside of the project",
        span,
        "not included from there",
        notes=(f"the project is `{root}`, see `netsor explain E261`",),
        hint="copy the file into the project and include it from there",
    )


def unreadable(span: Span, path: str, why: str) -> Diagnostic:
    return E261(f"`{path}` cannot be included: {why}", span, "not read", notes=(_HOW,), hint="name another file")


E262 = Entry(
    "E262",
    "files that include each other",
    "What a file includes is read before the file itself, so no file includes itself, be it through others. What two "
    "files need of each other belongs into a third, which both include.",
    bad='include "one.netsor"     # and in one.netsor: include "two.netsor", in two.netsor: include "one.netsor"\n',
    good='include "one.netsor"     # and in one.netsor and in two.netsor: include "common.netsor"\n',
    stage="files",
)


def cyclic(span: Span, path: str, lines: Sequence[Span], through: bool) -> Diagnostic:
    """`lines` are those by which the file comes to include itself, `through` other files or not."""
    return E262(
        f"`{path}` includes itself" + (", through other files" if through else ""),
        span,
        "comes back to where it began",
        labels=tuple(Label(line, "included here") for line in lines[:5]),
        notes=("what a file includes is read before the file itself",),
        hint="put what both need into a file of its own, or remove this line",
        edits=(line_removed(span),),
    )


def too_deep(span: Span, most: int) -> Diagnostic:
    return E262(
        f"more than {most} files include each other, one inside the other",
        span,
        "not followed further",
        hint="include the files side by side",
    )


E263 = Entry(
    "E263",
    "an included file holds more than definitions",
    "Included are definitions (`def`), functions and `param` lines, and nothing that would add to the program by "
    "itself: no network or program, no matrices, vectors, data, assignments and outputs.",
    bad='include "mlp.netsor"        # a network\n',
    good='include "blocks.netsor"     # only `def …`, `φ(u) = …`, `param …`\n',
    stage="files",
)


def not_definitions(span: Span, path: str, place: Span, what: str, count: int = 1) -> Diagnostic:
    """`place` is where the included file holds something else, `count` how many such lines it has."""
    more = f" (and {plural(count - 1, 'more line')})" if count > 1 else ""
    whole = what.startswith("a ") and ":=" not in what
    message = f"`{path}` is {what}, which cannot be included" if whole else f"`{path}` holds {what}{more}"
    return E263(
        message,
        span,
        "only definitions can be included",
        labels=(Label(place, "this is not a definition"),),
        notes=("an included file holds `def`, functions and `param` lines only",),
        hint="move the definitions that you need into a file of their own, and include that",
    )


E264 = Entry(
    "E264",
    "a name that an included file has too",
    "Each name stands for one thing. A definition of one's own cannot hide one of the standard library or of another "
    "file, and two included files cannot both define a name: whoever reads a line must know which is meant.",
    bad="include std\nmish(u) = u tanh(u)\nvector x ~ N(0, 1)\noutput mean(mish(x))\n",
    good="include std\nmy_mish(u) = u tanh(u)\nvector x ~ N(0, 1)\noutput mean(my_mish(x))\n",
)


def hides(span: Span, name: str, place: Span, free: str) -> Diagnostic:
    """A line of one's own takes a name that an included file defines at `place`; `free` is a name that is free."""
    where = "the standard library" if place.source.standard else f"`{place.source.name}`"
    edit = Edit(span, free)
    label = Label(place.source.included, "included here") if place.source.included else Label(place, "defined here")
    return E264(
        f"`{name}` is already a name of {where}",
        span,
        "would hide it",
        labels=(Label(place, "defined here"), label) if not place.source.standard else (label,),
        notes=("each name stands for one thing, so an included definition cannot be hidden",),
        hint=f"give it another name, such as {said(edit)}, or use the one that is included",
        edits=(edit,),
    )


def in_two_files(span: Span, name: str, first: Span, second: Span) -> Diagnostic:
    """An include brings in a name that another one has brought in before it."""
    one, other = ("std" if place.source.standard else place.source.name for place in (first, second))
    return E264(
        f"`{name}` is defined in two of the included files",
        span,
        f"brings in another `{name}`",
        labels=(Label(first, "the first"), Label(second, "the second")),
        notes=("each name stands for one thing",),
        hint=f"rename one of them, or include only one of the files: `{one}` or `{other}`",
        edits=(line_removed(span),),
    )
