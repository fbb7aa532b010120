"""E0xx: files, usage, drawings and pages; `bad` and `good` are command lines."""

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

E002 = Entry(
    "E002",
    "a file cannot be read",
    "The file is there, but the system does not let it be read: its permissions forbid it, or the medium failed.",
    "netsor check /root/private.netsor",
    "netsor check programs/algorithm1.netsor",
)

E003 = Entry(
    "E003",
    "a folder stands where a file is expected",
    "A command reads files. For all programs of a folder, let the shell list them.",
    "netsor check programs",
    "netsor check programs/*.netsor",
)

E004 = Entry(
    "E004",
    "a file is not UTF-8",
    "Programs are UTF-8 text. The message names the first line that is not; an editor can save the file as UTF-8. "
    "A byte order mark at the beginning is accepted, and so are the line ends of every system.",
    "netsor check latin1.netsor",
    "iconv -f latin1 -t utf-8 latin1.netsor > program.netsor && netsor check program.netsor",
)

E005 = Entry(
    "E005",
    "a file is too large to be a program",
    "A program has at most fifty million bytes. Put large data into a file of its own, see `--data`.",
    "netsor check weights.npy",
    "netsor eval program.netsor --data X=weights.npy",
)

E010 = Entry(
    "E010",
    "the command line is not understood",
    "A command takes the options that its `--help` lists. An option that does nothing beside the others is refused "
    "too, so that nobody waits for what it would have done.",
    "netsor eval programs/algorithm1.netsor --width abc",
    "netsor eval programs/algorithm1.netsor --width 1000",
)

E011 = Entry(
    "E011",
    "the system refuses",
    "Something that a command needs beside the files it was given was refused by the system; the message is the "
    "system's own.",
    "netsor eval programs/algorithm1.netsor > /dev/full",
    "netsor eval programs/algorithm1.netsor > limits.txt",
)

E012 = Entry(
    "E012",
    "netsor failed",
    "Whatever a file or a call has wrong should be told with another code. This one is a fault of netsor itself, "
    "and NETSOR_DEBUG=1 shows where it happened.",
    "netsor eval program.netsor",
    "NETSOR_DEBUG=1 netsor eval program.netsor",
)

E020 = Entry(
    "E020",
    "`--set` is not understood",
    "`--set NAME=VALUE` gives a value to a `param` of the program, and the value is a finite number.",
    "netsor eval rnn.netsor --set T",
    "netsor eval rnn.netsor --set T=5",
)

E021 = Entry(
    "E021",
    "`--data` is not understood",
    "`--data NAME=FILE` gives the numbers for a `data` declaration of the program.",
    "netsor eval rnn.netsor --data tokens.npy",
    "netsor eval rnn.netsor --data X=tokens.npy",
)

E022 = Entry(
    "E022",
    "a file of numbers cannot be used",
    "Numbers come from a .npy file that holds an array, a .csv file with one row a line, or a .json file of nested "
    "lists. All of them must be numbers.",
    "netsor eval rnn.netsor --data X=tokens.xlsx",
    "netsor eval rnn.netsor --data X=tokens.csv",
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

E024 = Entry(
    "E024",
    "there is no such diagnostic",
    "`netsor explain` takes the code that stands in the brackets of a message; without a code it lists them all.",
    "netsor explain 108",
    "netsor explain E108",
)

E025 = Entry(
    "E025",
    "a picture of an unknown type",
    "A picture of convergence is written as .svg, .png or .pdf, by the ending of its name.",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot mlp.gif",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot mlp.svg",
)

E026 = Entry(
    "E026",
    "a picture needs an extra",
    "Pictures of convergence are drawn by matplotlib, which the extra `plot` installs: pip install 'netsor[plot]'.",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot mlp.svg",
    "netsor converge mlp.netsor --widths 1e2..1e4",
)

E027 = Entry(
    "E027",
    "a picture in a folder that does not exist",
    "The folder of a picture is there before the work starts, so that no long run ends in an error.",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot nowhere/mlp.svg",
    "netsor converge mlp.netsor --widths 1e2..1e4 --plot mlp.svg",
)

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

E031 = Entry(
    "E031",
    "an output file cannot be written",
    "The folder of the file that `-o` names must exist, and the system must let it be written.",
    "netsor draw programs/algorithm1.netsor -o no/such/folder/picture.svg",
    "netsor draw programs/algorithm1.netsor -o picture.svg",
)

E032 = Entry(
    "E032",
    "a package for this output is not installed",
    "Drawings as .svg and .dot and reports need no more than netsor itself. For .pdf and .png a renderer is "
    "needed, "
    "which `pip install 'netsor[draw]'` brings; it works without a network.",
    "netsor draw programs/algorithm1.netsor -o picture.pdf",
    "pip install 'netsor[draw]' && netsor draw programs/algorithm1.netsor -o picture.pdf",
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
