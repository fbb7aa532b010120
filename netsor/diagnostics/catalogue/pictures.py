"""E03x: drawings, pages and notebooks; `bad` and `good` are command lines."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E030",
        "a picture's or page's type is not known",
        "What is written follows the ending of the file's name: .svg, .pdf, .png or .dot for a drawing, "
        ".html for a report.",
        "netsor draw programs/algorithm1.netsor -o picture.jpg",
        "netsor draw programs/algorithm1.netsor -o picture.svg",
    ),
    Entry(
        "E031",
        "an output file cannot be written",
        "The folder of the file that `-o` names must exist, and the system must let it be written.",
        "netsor draw programs/algorithm1.netsor -o no/such/folder/picture.svg",
        "netsor draw programs/algorithm1.netsor -o picture.svg",
    ),
    Entry(
        "E032",
        "a package for this output is not installed",
        "Drawings as .svg and .dot and reports need no more than netsor itself. For .pdf and .png a renderer is "
        "needed, "
        "which `pip install 'netsor[draw]'` brings; it works without a network.",
        "netsor draw programs/algorithm1.netsor -o picture.pdf",
        "pip install 'netsor[draw]' && netsor draw programs/algorithm1.netsor -o picture.pdf",
    ),
    Entry(
        "E033",
        "a variable to be shown does not exist",
        "`--of` and `--vectors` take names of variables of the program as its listing has them: members of a "
        "family with "
        "their indices, and vectors where a law of coordinates is asked for.",
        "netsor draw programs/algorithm1.netsor --of hh -o picture.svg",
        "netsor draw programs/algorithm1.netsor --of h -o picture.svg",
    ),
)
