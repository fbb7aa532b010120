"""How far letters move the pen, in thousandths of an em: those of Times, which the usual serif fonts share.

Where a picture is read in a font of other widths its letters stand a little closer or wider, at the same places.
"""

from __future__ import annotations

import unicodedata

_UPRIGHT = {
    180: "'", 200: "|", 219: "′", 250: " ,.·", 278: "/:;\\ijltίι", 300: "²³", 333: "!()-I[]`frΙ˜ˆ˚˘˙¨ˇ´",
    389: "Js", 402: "ςτ", 414: "ζ\"″", 444: "?acezχεγξν", 471: "δ^θℓ{}λ",
    500: "∂υρ#$*0123456789_bdghknopquvxyο¯κπβ", 530: "ήηάαμσ~", 552: "÷≤≥≠±FPSΡ", 567: "+<=>×φ", 580: "ΓΣ",
    615: "ELTZΕΖΤψ", 640: "−", 650: "ΔΞω", 667: "BCRΒ", 722: "∑∞ADGHKNOQUVXYwΑΗΘΚΝΟΠΥΧΛΦΨ", 745: "Ω½",
    778: "&m⊙", 850: "√", 833: "%", 889: "MΜ", 921: "@", 944: "W", 1000: "…→",
}  # fmt: skip
_ITALIC = {
    214: "'′", 250: " ,.·", 278: "|/\\fijltίι", 300: "²³", 333: "!()-:;I`Ι˜ˆ˚˘˙¨ˇ´", 358: "τ", 389: "[]rsz",
    400: "έγε{}ζς", 420: "″\"^ξ", 440: "λχJcekvxyν", 465: "υδκρ", 494: "θσ∂ηή",
    500: "βμ#$*0123456789?S_abdghnopquοπ¯", 541: "αά~", 553: "÷≤≥≠±φℓLTYZΖΤΥ", 580: "ΓΔΣ",
    611: "ΛABEFPRVXΑΒΕΡΧψ", 660: "ΞCKNwΚΝ", 675: "+<=>−×", 706: "Ψω", 722: "∑∞DGHOQUmΗΘΟΠΩ", 755: "½Φ",
    778: "&⊙", 850: "√", 833: "%MWΜ", 900: "…@", 1000: "→",
}  # fmt: skip
_WIDTHS = tuple({c: w for w, letters in table.items() for c in letters} for table in (_UPRIGHT, _ITALIC))
_ELSE = 640


def is_usual(c: str) -> bool:
    """Whether the usual fonts have this letter; others are set apart, for what stands in for them may be wider."""
    return c in _WIDTHS[0] and c != "√"


def advance(text: str, italic: bool = False) -> float:
    """The width of a text, in em."""
    table = _WIDTHS[italic]
    return sum(0 if unicodedata.combining(c) else table.get(c, _ELSE) for c in text) / 1000
