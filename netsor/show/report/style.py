"""The style of a report's page: for a screen of any width, light or dark, and for paper."""

_LIGHT = "--paper:#fff;--ink:#1b1b1b;--soft:#5c6066;--rule:#d9d6cf;--tint:#f6f4ee;--accent:#0b5c94;--warm:#b8480a;--good:#1d7a4a;--bad:#a3262a;"
_DARK = "--paper:#15181d;--ink:#e8e6e1;--soft:#a4a9b0;--rule:#363c45;--tint:#1d2128;--accent:#6cb8ee;--warm:#ff9a55;--good:#5fd08f;--bad:#ff8a85;"

_RULES = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
.ns { color: var(--ink); background: var(--paper); font: 16px/1.5 Charter, 'Bitstream Charter', 'Source Serif 4', Cambria, Georgia, serif; }
body.ns { margin: 0 auto; max-width: 66rem; padding: 1.5rem 1.25rem 4rem; }
.ns h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
.ns h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid var(--rule); }
.ns h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.ns p { margin: .4rem 0 .8rem; max-width: 46rem; }
.ns .soft, .ns .rule, .ns figcaption { color: var(--soft); }
.ns code, .ns pre { font-family: 'DejaVu Sans Mono', 'JetBrains Mono', Menlo, Consolas, monospace; font-size: .85rem; }
.ns pre { margin: 0; padding: .8rem 1rem; background: var(--tint); border-radius: 6px; overflow-x: auto; line-height: 1.55; }
.ns pre.wrap { white-space: pre-wrap; overflow-wrap: anywhere; }
.ns nav { margin: .8rem 0 0; } .ns nav a { margin-right: 1rem; white-space: nowrap; display: inline-block; }
.ns a { color: var(--accent); }
.ns .scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: 6px; background: var(--paper); }
.ns .scroll:focus-visible, .ns pre:focus-visible { outline: 2px solid var(--accent); }
.ns .scroll svg { display: block; height: auto; margin: 0 auto; }
.ns table { border-collapse: collapse; font-size: .95rem; }
.ns th, .ns td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
.ns th { font-weight: 600; color: var(--soft); white-space: nowrap; }
.ns td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.ns td i.name, .ns .laws h3 { font-style: italic; }
.ns .G, .ns .X, .ns .S, .ns .M { cursor: help; border-bottom: 1.5px solid transparent; padding-bottom: .1em; }
.ns .G { border-bottom-color: var(--accent); } .ns .X { border-bottom: 1.5px dashed var(--warm); }
.ns .S { border-bottom: 1.5px dotted var(--good); } .ns .M { font-weight: 700; }
.ns .label { color: var(--soft); } .ns .comment { color: var(--soft); font-style: italic; }
.ns .yes { color: var(--good); font-weight: 600; } .ns .no { color: var(--bad); font-weight: 600; } .ns .open { color: var(--warm); font-weight: 600; }
.ns .line { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1.5rem; padding: .28rem 0; align-items: baseline; }
.ns .line.deeper { padding-left: 1.6rem; } .ns .line.result { background: var(--tint); border-radius: 6px; padding: .5rem .7rem; margin: .5rem 0; }
.ns .sum { min-width: 0; } .ns .step { overflow-x: auto; overflow-y: hidden; padding: .12rem 0; } .ns .step + .step { padding-left: 2.2rem; }
.ns .rule { font-size: .82rem; text-align: right; } .ns .note { grid-column: 1 / -1; color: var(--soft); font-size: .9rem; padding-left: 1rem; }
.ns math { font-size: 1.08em; } .ns .formula { white-space: pre-wrap; }
.ns .plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(17.5rem, 1fr)); gap: 1rem; margin: .8rem 0; }
.ns figure { margin: 0; } .ns figcaption { font-size: .85rem; max-width: 46rem; }
.ns .plot { width: 100%; height: auto; } .ns .plot text { fill: var(--ink); font-size: 11px; font-family: inherit; }
.ns .plot .title { font-size: 13px; font-style: italic; }
.ns .plot .frame, .ns .plot .tick { stroke: var(--soft); fill: none; stroke-width: 1; } .ns .plot .grid { stroke: var(--rule); stroke-width: .6; }
.ns .plot .limit { stroke: var(--warm); stroke-width: 2; fill: none; } .ns .plot .guide { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 5 4; fill: none; }
.ns .plot .curve { stroke: var(--accent); stroke-width: 1.5; fill: none; } .ns .plot .mean { stroke: var(--accent); stroke-width: 1.6; fill: none; }
.ns .plot .meandot { fill: var(--accent); } .ns .plot .draw { fill: var(--soft); opacity: .55; } .ns .plot .bar { fill: var(--accent); opacity: .4; }
.ns .diagnostics { border-left: 3px solid var(--warm); padding: .3rem .9rem; background: var(--tint); }
.ns details { margin: .6rem 0; } .ns summary { cursor: pointer; color: var(--accent); }
@media (max-width: 40rem) {
  body.ns { padding: 1rem .8rem 3rem; font-size: 15px; }
  .ns .line { grid-template-columns: minmax(0, 1fr); } .ns .rule { text-align: left; padding-left: 1rem; }
  .ns .line.deeper { padding-left: .8rem; } .ns .step + .step { padding-left: 1rem; }
  .ns .tablebox { overflow-x: auto; }
}
@media print {
  @page { margin: 16mm; }
  body.ns { max-width: none; padding: 0; font-size: 10.5pt; }
  .ns nav, .ns .screen { display: none; } .ns h2 { break-after: avoid; }
  .ns .line, .ns figure, .ns tr { break-inside: avoid; }
  .ns .scroll { border: 0; overflow: visible; } .ns .scroll svg { max-width: 100%; }
  .ns pre { white-space: pre-wrap; overflow-wrap: anywhere; background: none; border: 1px solid #ccc; }
  .ns .step { overflow: visible; }
}
"""


def sheet(theme: str = "auto") -> str:
    """The style sheet; `auto` follows the reader's preference, and paper is always light."""
    if theme == "dark":
        return f".ns {{ {_DARK} color-scheme: dark; }} html {{ background: #15181d; }}{_RULES}"
    out = f".ns {{ {_LIGHT} }}"
    if theme == "auto":
        out += f"\n@media screen and (prefers-color-scheme: dark) {{ html {{ background: #15181d; color-scheme: dark; }} .ns {{ {_DARK} }} }}"
    return out + _RULES
