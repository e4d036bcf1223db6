"""The style sheet of all reports, for light and dark mode, narrow screens and paper. The server's page uses its
colours."""

LIGHT = """
  --bg: #ffffff; --panel: #f5f6f8; --ink: #1c2127; --soft: #5c6670; --line: #d9dee4; --grid: #e9ecef;
  --warn: #9a4a00; --warn-bg: #fdf3e7; --good: #0b6b4f; --good-bg: #e9f6f1; --bad: #b3261e; --link: #0b5cad;
  --heat: 0, 114, 178; --mark: 214, 64, 0; --on-heat: #ffffff;
  --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b0558a; --s4: #b98300; --s5: #3f9fd8;
"""
DARK = """
  --bg: #14171b; --panel: #1d2126; --ink: #e3e6ea; --soft: #9aa4af; --line: #353c45; --grid: #272d34;
  --warn: #f0b36b; --warn-bg: #2b2218; --good: #66cfa9; --good-bg: #16271f; --bad: #ff8a80; --link: #7ab8f5;
  --heat: 86, 180, 233; --mark: 255, 140, 80; --on-heat: #0d1217;
  --s0: #56b4e9; --s1: #f08544; --s2: #35c79b; --s3: #dd94be; --s4: #e6b422; --s5: #8ccbf2;
"""
STYLE = (
    f":root {{ color-scheme: light dark; {LIGHT} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}"
    """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 2rem 1.5rem 3rem; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; margin: 0; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .6rem; padding-top: 1.2rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.1rem 0 .4rem; }
section { margin-top: 1.8rem; scroll-margin-top: .5rem; }
p { margin: .4rem 0 .7rem; max-width: 46rem; overflow-wrap: break-word; }
small { font-size: .82em; color: var(--soft); }
.subtitle { color: var(--soft); margin: .35rem 0 0; overflow-wrap: anywhere; }
nav { margin-top: .9rem; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .9rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
a:focus-visible, summary:focus-visible, input:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.lead { margin: 1.4rem 0 0; display: grid; gap: .55rem; }
.lead > div { display: grid; grid-template-columns: 9.5rem 1fr; gap: 0 1rem; background: var(--panel); border-left: 3px solid var(--s0);
  border-radius: 0 8px 8px 0; padding: .7rem 1rem; }
.lead > .warn { border-color: var(--warn); background: var(--warn-bg); }
.lead dt { color: var(--soft); font-size: .9rem; padding-top: .12rem; } .lead dd { margin: 0; font-size: 1.06rem; overflow-wrap: break-word; min-width: 0; }
.lead > .warn dt { color: var(--warn); }
.scroll { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { caption-side: top; text-align: left; font-weight: 600; padding: 0 0 .3rem; }
th, td { padding: .27rem .9rem .27rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid);
  overflow-wrap: anywhere; max-width: 32rem; }
th { font-weight: 600; border-bottom: 1px solid var(--line); vertical-align: bottom; overflow-wrap: normal; }
th.n, td.n { text-align: right; white-space: nowrap; padding-left: .9rem; padding-right: .9rem; }
th.n { white-space: normal; }
th:first-child, td:first-child { padding-left: 0; }
tbody tr:last-child td { border-bottom: 1px solid var(--line); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 10rem), 1fr)); gap: .6rem; margin: .7rem 0 1rem; }
.tile { background: var(--panel); border-radius: 8px; padding: .6rem .85rem; max-width: 26rem; }
.tile b { display: block; font-size: 1.35rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .84rem; line-height: 1.35; display: block; }
.notice { border-left: 3px solid var(--good); background: var(--good-bg); padding: .5rem .9rem; border-radius: 0 6px 6px 0;
  margin: .6rem 0 .9rem; max-width: 56rem; overflow-wrap: break-word; }
.notice.warn { border-color: var(--warn); background: var(--warn-bg); }
.row { display: flex; flex-wrap: wrap; gap: .9rem 1.6rem; align-items: flex-start; margin: .5rem 0 1rem; }
.row > * { min-width: 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--cell, 10rem)), 1fr)); gap: .9rem; margin: .6rem 0 1.2rem; }
.grid.fixed { grid-template-columns: repeat(var(--columns), minmax(0, max-content)); }
.pair { display: flex; gap: 4px; }
figure { margin: 0; min-width: 0; }
figure.picture { max-width: 100%; } .grid:not(.fixed) > figure.picture { width: 100% !important; }
audio { display: block; width: 100%; min-width: 9rem; height: 2.2rem; } video { display: block; max-width: 100%; height: auto; border-radius: 5px; }
figure.picture img { display: block; width: 100%; height: auto; border-radius: 5px; background: var(--panel); }
.gone { display: grid; place-items: center; aspect-ratio: 1; border: 1px dashed var(--line); border-radius: 5px; color: var(--soft);
  font-size: .8rem; text-align: center; padding: .5rem; }
figcaption { color: var(--soft); font-size: .8rem; line-height: 1.35; margin-top: .3rem; overflow-wrap: anywhere; white-space: pre-line; }
figure.chart { max-width: 34rem; flex: 0 0 calc(50% - .8rem); min-width: min(100%, 21rem); }
figure.chart svg { display: block; width: 100%; height: auto; font: 11.5px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
figure.chart figcaption { color: var(--ink); font-size: .92rem; font-weight: 600; margin: 0 0 .2rem; }
figure.chart figcaption.note { color: var(--soft); font-size: .82rem; font-weight: 400; margin: .2rem 0 0; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .82rem; color: var(--soft); margin: 0 0 .3rem; align-items: center; }
.legend i { display: inline-block; width: 1rem; height: .22rem; border-radius: 2px; margin-right: .4rem; vertical-align: middle; }
.legend i.spot { width: .6rem; height: .6rem; border-radius: 50%; }
.legend i.scale { width: 6rem; height: .6rem; }
svg text.halo { paint-order: stroke; stroke: var(--bg); stroke-width: 3px; stroke-linejoin: round; }
svg text { fill: var(--soft); } svg text.value { fill: var(--ink); }
svg .gridline { stroke: var(--grid); stroke-width: 1; } svg .axis { stroke: var(--line); stroke-width: 1; }
svg .reference { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; fill: none; }
svg .chosen { stroke: var(--s2); stroke-width: 1.4; stroke-dasharray: 5 3; }
svg .cell { fill: rgb(var(--heat)); } svg text.on { fill: var(--on-heat); } svg .right { fill: none; stroke: var(--good); stroke-width: 1.5; }
.shown { display: grid; grid-template-columns: minmax(0, max-content) minmax(0, 1fr); gap: .2rem 1.2rem; padding: .7rem 0; border-bottom: 1px solid var(--grid); }
.shown > .pictures { display: flex; flex-wrap: wrap; gap: .6rem; } .shown > .told { min-width: 0; overflow-wrap: anywhere; }
.recording { max-width: 100%; min-width: 0; } .grid.fixed:has(.recording) { grid-template-columns: repeat(auto-fill, minmax(min(100%, 9rem), 1fr)); }
.shown > .pictures:has(.recording) { max-width: 30rem; }
.shown > .told { max-height: 32rem; overflow-y: auto; } .shown > .told:only-child { grid-column: 1 / -1; }
.answer { font-weight: 600; } .yes { color: var(--good); } .no { color: var(--bad); }
.weighed { display: inline-flex; flex-wrap: wrap; max-width: calc(100% - 1.6rem); gap: .3rem .9rem; vertical-align: top; } .weighed > span { display: grid; min-width: 3.2rem; line-height: 1.3; }
.weighed .bar { display: flex; height: .4rem; margin: .12rem 0; border-radius: 2px; overflow: hidden; } .weighed small { font-weight: 400; }
.marked { line-height: 1.9; } .marked span { background: rgba(var(--mark), var(--w)); padding: .1em .12em; border-radius: 3px; }
.framed { outline: 3px solid var(--good); outline-offset: 2px; border-radius: 5px; }
.map { position: relative; display: grid; grid-template-columns: minmax(0, 1fr) 15rem; gap: 1.2rem; max-width: 56rem; margin: .4rem 0; }
.plot { display: grid; aspect-ratio: 1.35; background: var(--panel); border-radius: 8px; overflow: hidden; }
.plot input { grid-area: 1 / 1; place-self: start; appearance: none; -webkit-appearance: none; width: 11px; height: 11px; cursor: pointer;
  margin: calc(var(--y) - 5px) 0 0 calc(var(--x) - 5px); border-radius: 50%; background: var(--c); opacity: .75; border: 1px solid var(--bg); }
.plot input:hover, .plot input:checked { opacity: 1; outline: 2px solid var(--ink); outline-offset: 1px; z-index: 2; }
.plot .card { display: none; position: absolute; right: 0; top: 0; bottom: 0; width: 15rem; background: var(--bg); overflow: auto; }
.plot input:checked + .card, .plot input:checked + input + .card { display: block; }
.plot input:hover + .card, .plot input:hover + input + .card { display: block; z-index: 3; }
.hint { color: var(--soft); font-size: .85rem; margin: 0; } .note { margin-top: .3rem; max-width: 56rem; }
.card { font-size: .88rem; line-height: 1.4; overflow-wrap: anywhere; } .card .pictures { display: flex; gap: .4rem; flex-wrap: wrap; margin-bottom: .3rem; }
.card figure.picture { width: 7.5rem !important; } .plot .card figure.picture { width: 10rem !important; }
.nearest { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .8rem; padding: .7rem 0; border-bottom: 1px solid var(--grid); }
.nearest .card:first-child { border-right: 1px solid var(--line); padding-right: .8rem; }
ol { margin: .2rem 0; padding-left: 1.5rem; }
details { margin: .5rem 0 .7rem; } summary { cursor: pointer; color: var(--link); padding: .15rem 0; }
details > *:not(summary) { margin-top: .5rem; }
pre { background: var(--panel); border-radius: 8px; padding: .8rem 1rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
footer { margin-top: 2.2rem; color: var(--soft); font-size: .8rem; }
@media (max-width: 40rem) {
  main { padding: 1.2rem 1rem 2.5rem; } h1 { font-size: 1.4rem; }
  .grid.fixed { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .lead > div { grid-template-columns: 1fr; } .shown { grid-template-columns: minmax(0, 1fr); } .row { gap: .9rem; }
  .map { grid-template-columns: minmax(0, 1fr); } .map:has(input:checked, input:hover) { padding-bottom: 13rem; }
  .plot .card { left: 0; width: auto; top: auto; height: 13rem; } .map:has(input:checked, input:hover) .hint { display: none; }
  .plot input { width: 13px; height: 13px; }
  .nearest { grid-template-columns: repeat(2, minmax(0, 1fr)); } .nearest .card:first-child { border: 0; }
  table.wide, table.wide tbody { display: block; } table.wide thead { display: none; }
  table.wide caption { display: block; }
  table.wide tr { display: block; padding: .45rem 0; border-bottom: 1px solid var(--line); }
  table.wide td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .08rem 0; max-width: none; text-align: right; white-space: normal; }
  table.wide td:first-child { text-align: left; font-weight: 600; }
  table.wide td[data-name]::before { content: attr(data-name); color: var(--soft); font-weight: 400; text-align: left; flex: none; max-width: 55%; }
  table.wide td:first-child::before { content: none !important; }
  table.wide td:empty { display: none; } table.wide tbody tr:last-child td { border: 0; }
  .row > * { flex-basis: 100%; } figure.chart { flex-basis: 100%; } figure.chart svg { font-size: 12.5px; }
}
@media print {
  nav, .hint { display: none; } main { max-width: none; padding: 0; } body { font-size: 11pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  figure, tr, .tile, .lead > div, .shown { break-inside: avoid; } h2, h3, summary { break-after: avoid; } .scroll { overflow: visible; }
  .shown > .told { max-height: none; }
}
"""
)
