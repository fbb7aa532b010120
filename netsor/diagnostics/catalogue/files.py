"""E0xx: files, usage, drawings and pages; `bad` and `good` are command lines."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import plural
from netsor.diagnostics.data import Diagnostic

E001 = Entry(
    "E001",
    "there is no such file",
    "The file that a command names must exist. If one of nearly this name stands beside it, the message offers it.",
    "netsor check progams/algorithm1.netsor",
    "netsor check programs/algorithm1.netsor",
)


def no_file(path: str, hint: str = "") -> Diagnostic:
    return E001(f"there is no file `{path}`", hint=hint)


E002 = Entry(
    "E002",
    "a file cannot be read",
    "The file is there, but the system does not let it be read: its permissions forbid it, or the medium failed.",
    "netsor check /root/private.netsor",
    "netsor check programs/algorithm1.netsor",
)


def may_not_be_read(path: str) -> Diagnostic:
    return E002(f"`{path}` may not be read", hint="change its permissions, or name another file")


def cannot_be_read(path: str, why: str) -> Diagnostic:
    return E002(f"`{path}` cannot be read: {why}")


E003 = Entry(
    "E003",
    "a folder stands where a file is expected",
    "A command reads files. For all programs of a folder, let the shell list them.",
    "netsor check programs",
    "netsor check programs/*.netsor",
)


def folder(path: str) -> Diagnostic:
    return E003(
        f"`{path}` is a folder, not a file", hint=f"name a file in it, such as `{path.rstrip('/')}/NAME.netsor`"
    )


E004 = Entry(
    "E004",
    "a file is not UTF-8",
    "Programs are UTF-8 text. The message names the first line that is not; an editor can save the file as UTF-8. "
    "A byte order mark at the beginning is accepted, and so are the line ends of every system.",
    "netsor check latin1.netsor",
    "iconv -f latin1 -t utf-8 latin1.netsor > program.netsor && netsor check program.netsor",
)


def not_utf8(path: str, why: str) -> Diagnostic:
    return E004(f"`{path}` is not UTF-8{why}", hint="save it as UTF-8")


E005 = Entry(
    "E005",
    "a file is too large to be a program",
    "A program has at most fifty million bytes. Put large data into a file of its own, see `--data`.",
    "netsor check weights.npy",
    "netsor eval program.netsor --data X=weights.npy",
)


def too_large(path: str, size: int, largest: int) -> Diagnostic:
    return E005(f"`{path}` has {size} bytes; a program has at most {largest}", hint="name a text file")


E010 = Entry(
    "E010",
    "the command line is not understood",
    "A command takes the options that its `--help` lists. An option that does nothing beside the others is refused "
    "too, so that nobody waits for what it would have done.",
    "netsor eval programs/algorithm1.netsor --width abc",
    "netsor eval programs/algorithm1.netsor --width 1000",
)


def misused(message: str, hint: str) -> Diagnostic:
    return E010(message, hint=hint)


def does_nothing(options: Sequence[str], why: str) -> Diagnostic:
    """Options that do nothing beside the others."""
    verb, them = ("does", "it") if len(options) == 1 else ("do", "them")
    listed = " and ".join(f"`{option}`" for option in options)
    return E010(f"{listed} {verb} nothing {why}", hint=f"leave {them} out")


E011 = Entry(
    "E011",
    "the system refuses",
    "Something that a command needs beside the files it was given was refused by the system; the message is the "
    "system's own.",
    "netsor eval programs/algorithm1.netsor > /dev/full",
    "netsor eval programs/algorithm1.netsor > limits.txt",
)


def unwritten_output(why: str) -> Diagnostic:
    """Standard output takes no more."""
    return E011(f"the output could not be written: {why}")


def refused(path: str, why: str) -> Diagnostic:
    return E011(f"{why}: {path}")


E012 = Entry(
    "E012",
    "netsor failed",
    "Whatever a file or a call has wrong should be told with another code. This one is a fault of netsor itself, "
    "and NETSOR_DEBUG=1 shows where it happened.",
    "netsor eval program.netsor",
    "NETSOR_DEBUG=1 netsor eval program.netsor",
)


def unhandled(fault: Exception) -> Diagnostic:
    return E012(
        f"netsor failed at something it should have handled ({type(fault).__name__}: {fault})",
        hint="please report it with the file; NETSOR_DEBUG=1 shows where it happened",
    )


E020 = Entry(
    "E020",
    "`--set` is not understood",
    "`--set NAME=VALUE` gives a value to a `param` of the program, and the value is a finite number.",
    "netsor eval rnn.netsor --set T",
    "netsor eval rnn.netsor --set T=5",
)


def not_a_setting(text: str) -> Diagnostic:
    return E020(f"`--set {text}` is not of the form NAME=VALUE", hint="write `--set L=3`")


def not_a_number(name: str, text: str, why: str) -> Diagnostic:
    return E020(f"`--set {name}={text}` is not a number: {why}", hint=f"write `--set {name}=3`")


def not_finite(name: str, value: object) -> Diagnostic:
    return E020(f"`{name}` was set to {value!r}, which is not a finite number", hint=f"write `--set {name}=3`")


E021 = Entry(
    "E021",
    "`--data` is not understood",
    "`--data NAME=FILE` gives the numbers for a `data` declaration of the program.",
    "netsor eval rnn.netsor --data tokens.npy",
    "netsor eval rnn.netsor --data X=tokens.npy",
)


def not_data(text: str) -> Diagnostic:
    return E021(f"`--data {text}` is not of the form NAME=FILE", hint="write `--data X=inputs.npy`")


def names_no_input(option: str, text: str) -> Diagnostic:
    """One of several inputs, of which it is not said which."""
    return E021(f"`{option} {text}` is one of several and names no input", hint=f"write `{option} ξ={text}`")


E022 = Entry(
    "E022",
    "a file of numbers cannot be used",
    "Numbers come from a .npy file that holds an array, a .csv file with one row a line, or a .json file of nested "
    "lists. All of them must be numbers.",
    "netsor eval rnn.netsor --data X=tokens.xlsx",
    "netsor eval rnn.netsor --data X=tokens.csv",
)


def numbers_of_unknown_type(what: str, suffix: str) -> Diagnostic:
    return E022(f"{what} is of an unknown type `{suffix}`", hint="give a .npy, .csv or .json file")


def folder_of_numbers(what: str) -> Diagnostic:
    return E022(f"{what} is a folder", hint="name a file in it")


def not_ordinary(what: str) -> Diagnostic:
    return E022(f"{what} is not an ordinary file", hint="copy it to a file first")


def no_numbers_in(what: str, why: object) -> Diagnostic:
    return E022(
        f"{what} holds no numbers that can be read: {why}",
        hint="save an array as .npy, or numbers as .csv or .json",
    )


def numbers_unread(what: str, why: str) -> Diagnostic:
    return E022(f"{what} cannot be read: {why}")


def not_an_array(name: str, why: object) -> Diagnostic:
    """What was given from Python."""
    return E022(f"what was given for `{name}` is not an array of numbers: {why}", hint="give numbers only")


def needs_pyarrow(path: str) -> Diagnostic:
    return E022(
        f"`{path}` is a .parquet file, and pyarrow, which reads them, is not installed",
        hint="pip install 'netsor[parquet]'",
    )


E023 = Entry(
    "E023",
    "there is no such assumption",
    "`--require` takes the names of the paper's assumptions: A1, A2, A3 and A4 of Appendix D, GIA for the gradient "
    "independence check, B8 for pseudo-Lipschitz nonlinearities.",
    "netsor check mlp.netsor --require A5",
    "netsor check mlp.netsor --require A1,B8",
    "Assumption B.8; Setup D.1 and Assumptions A1 to A4",
)


def no_assumption(name: str, known: Sequence[str]) -> Diagnostic:
    return E023(f"`--require {name}`: there is no assumption `{name}`", hint=f"the assumptions are {', '.join(known)}")


E024 = Entry(
    "E024",
    "there is no such diagnostic",
    "`netsor explain` takes the code that stands in the brackets of a message; without a code it lists them all.",
    "netsor explain 108",
    "netsor explain E108",
)


def no_diagnostic(code: str, near: str) -> Diagnostic:
    hint = f"did you mean {near}?" if near else "`netsor explain` lists all codes"
    return E024(f"there is no diagnostic `{code}`", hint=hint)


E025 = Entry(
    "E025",
    "a picture of an unknown type",
    "A picture of convergence is written as .svg, .png or .pdf, by the ending of its name.",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot mlp.gif",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot mlp.svg",
)


def no_picture_type(path: str, known: Sequence[str]) -> Diagnostic:
    return E025(f"`{path}` is of no type that a picture is written in", hint=f"end its name in {', '.join(known)}")


E026 = Entry(
    "E026",
    "a picture needs an extra",
    "Pictures of convergence are drawn by matplotlib, which the extra `plot` installs: pip install 'netsor[plot]'.",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot mlp.svg",
    "netsor converge mlp.netsor --widths 1e2..1e4",
)


def needs_matplotlib() -> Diagnostic:
    return E026("a picture needs matplotlib, which is not installed", hint="pip install 'netsor[plot]'")


E027 = Entry(
    "E027",
    "a picture in a folder that does not exist",
    "The folder of a picture is there before the work starts, so that no long run ends in an error.",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot nowhere/mlp.svg",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot mlp.svg",
)


def no_folder_for_picture(folder: str) -> Diagnostic:
    return E027(f"there is no folder `{folder}` for the picture", hint="make it first")


E028 = Entry(
    "E028",
    "a command needs an extra",
    "What a shell completes is written by shtab (the extra `completion`); modules are read with PyTorch (the extra "
    "`torch`). All else works without them.",
    "netsor completion bash",
    "pip install 'netsor[completion]' && netsor completion bash",
)


def needs_extra(what: str, library: str, extra: str) -> Diagnostic:
    return E028(f"{what} needs {library}, which is not installed", hint=f"pip install 'netsor[{extra}]'")


E030 = Entry(
    "E030",
    "a picture's or page's type is not known",
    "What is written follows the ending of the file's name: .svg, .pdf, .png or .dot for a drawing, "
    ".html for a report.",
    "netsor draw programs/algorithm1.netsor -o picture.jpg",
    "netsor draw programs/algorithm1.netsor -o picture.svg",
)


def no_type(path: str, suffix: str, known: Sequence[str]) -> Diagnostic:
    """A name of a file whose ending says nothing that can be written, one of `known`."""
    dotted = [f".{k}" for k in known]
    names = " or ".join([", ".join(dotted[:-1]), dotted[-1]] if len(known) > 1 else dotted)
    what = f"`.{suffix}` is not a type that can be written here"
    return E030(what if suffix else f"`{path}` has no ending, so its type is not known",
                hint=f"end the file's name in {names}")  # fmt: skip


E031 = Entry(
    "E031",
    "an output file cannot be written",
    "The folder of the file that `-o` names must exist, and the system must let it be written.",
    "netsor draw programs/algorithm1.netsor -o no/such/folder/picture.svg",
    "netsor draw programs/algorithm1.netsor -o picture.svg",
)


def output_is_folder(path: str) -> Diagnostic:
    return E031(f"`{path}` is a folder", hint="name a file in it")


def no_folder(path: str, folder: str) -> Diagnostic:
    return E031(f"`{path}` cannot be written: there is no folder `{folder}`", hint=f"`mkdir -p {folder}` makes it")


def unwritten(path: str, why: str) -> Diagnostic:
    return E031(f"`{path}` cannot be written: {why}", hint="make room, or choose another place")


E032 = Entry(
    "E032",
    "a package for this output is not installed",
    "Drawings as .svg and .dot and reports need no more than netsor itself. For .pdf and .png a renderer is "
    "needed, "
    "which `pip install 'netsor[draw]'` brings; it works without a network.",
    "netsor draw programs/algorithm1.netsor -o picture.pdf",
    "pip install 'netsor[draw]' && netsor draw programs/algorithm1.netsor -o picture.pdf",
)


def needs_renderer(form: str) -> Diagnostic:
    return E032(
        f"a .{form} picture needs the package `vl-convert-python`, which is not installed",
        hint="`pip install 'netsor[draw]'`, or draw to .svg",
    )


E033 = Entry(
    "E033",
    "a variable to be shown does not exist",
    "`--of` and `--vectors` take names of variables of the program as its listing has them: members of a "
    "family with "
    "their indices, and vectors where a law of coordinates is asked for.",
    "netsor draw programs/algorithm1.netsor --of hh -o picture.svg",
    "netsor draw programs/algorithm1.netsor --of h -o picture.svg",
)


def no_variable(name: str, what: str, program: str, near: str) -> Diagnostic:
    """`what` was asked for, a vector or a variable."""
    of = f"`{program}`" if program else "the program"
    hint = f"did you mean `{near}`?" if near else "`netsor show` lists them all"
    return E033(f"`{name}` is not a {what} of {of}", hint=hint)


E034 = Entry(
    "E034",
    "a file is there already",
    "`netsor new` writes new files and overwrites none. Name a folder that does not hold them, or remove them.",
    "netsor new mlp mine    # a second time",
    "netsor new mlp other",
)


def exists(path: str, count: int) -> Diagnostic:
    """`count` files of those to be written are there, `path` among them."""
    more = f" (and {plural(count - 1, 'more file')})" if count > 1 else ""
    return E034(f"`{path}` is there already{more}", hint="name another folder, as in `netsor new mlp other_folder`")
