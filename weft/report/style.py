"""The one style sheet of all reports: light and dark, narrow screens, paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --bg: #ffffff; --panel: #f6f7f9; --ink: #1c2127; --soft: #5c6670; --line: #dde1e6; --grid: #e9ecef;
  --warn: #9a4a00; --warn-bg: #fdf3e7; --good: #0b6b4f; --good-bg: #e9f6f1; --link: #0b5cad;
  --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b0558a; --s4: #b98300; --s5: #3f9fd8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #14171b; --panel: #1d2126; --ink: #e3e6ea; --soft: #9aa4af; --line: #333a42; --grid: #272d34;
    --warn: #f0b36b; --warn-bg: #2b2218; --good: #66cfa9; --good-bg: #16271f; --link: #7ab8f5;
    --s0: #56b4e9; --s1: #f08544; --s2: #35c79b; --s3: #dd94be; --s4: #e6b422; --s5: #8ccbf2;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; margin: 0; text-wrap: balance; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .75rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
section { margin-top: 2.25rem; }
p { margin: .5rem 0 .9rem; max-width: 46rem; }
.subtitle { color: var(--soft); margin: .4rem 0 0; overflow-wrap: anywhere; }
nav { margin-top: 1.1rem; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .9rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
.scroll { overflow-x: auto; margin: .75rem 0 1.25rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; min-width: 20rem; }
caption { caption-side: top; text-align: left; color: var(--soft); padding: 0 0 .45rem; }
th, td { padding: .34rem .9rem .34rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid);
  overflow-wrap: break-word; max-width: 32rem; }
th { font-weight: 600; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: bottom; }
th.n, td.n { text-align: right; white-space: nowrap; padding-left: .9rem; padding-right: .9rem; }
th:first-child, td:first-child { padding-left: 0; }
tbody tr:last-child td { border-bottom: 1px solid var(--line); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 1rem 0 1.4rem; }
.tile { background: var(--panel); border-radius: 8px; padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.35rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .85rem; }
.notice { border-left: 3px solid var(--good); background: var(--good-bg); padding: .55rem .9rem; border-radius: 0 6px 6px 0;
  margin: .75rem 0 1rem; max-width: 46rem; }
.notice.warn { border-color: var(--warn); background: var(--warn-bg); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--cell, 10rem)), 1fr)); gap: 1rem .9rem; margin: .75rem 0 1.4rem; }
.grid.fixed { grid-template-columns: repeat(var(--columns), minmax(0, max-content)); }
.pair { display: flex; gap: 4px; }
figure { margin: 0; }
figure.picture { max-width: 100%; } .grid:not(.fixed) > figure.picture { width: 100% !important; }
figure.picture img { display: block; width: 100%; height: auto; border-radius: 5px; background: var(--panel); }
.gone { display: grid; place-items: center; aspect-ratio: 1; border: 1px dashed var(--line); border-radius: 5px; color: var(--soft);
  font-size: .8rem; text-align: center; padding: .5rem; }
figcaption { color: var(--soft); font-size: .8rem; line-height: 1.4; margin-top: .35rem; overflow-wrap: anywhere; white-space: pre-line; }
figure.chart { display: inline-block; vertical-align: top; width: min(100%, 30rem); margin: .5rem 1rem 1.25rem 0; }
figure.chart svg { display: block; width: 100%; height: auto; font: 11.5px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
figure.chart figcaption { color: var(--ink); font-size: .92rem; font-weight: 600; margin: 0 0 .2rem; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .82rem; color: var(--soft); margin: 0 0 .3rem; }
.legend i { display: inline-block; width: 1rem; height: .22rem; border-radius: 2px; margin-right: .4rem; vertical-align: middle; }
svg text { fill: var(--soft); } svg text.value { fill: var(--ink); }
svg .gridline { stroke: var(--grid); stroke-width: 1; } svg .axis { stroke: var(--line); stroke-width: 1; }
svg .reference { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; }
details { margin: .6rem 0 1rem; } summary { cursor: pointer; color: var(--link); }
details > *:not(summary) { margin-top: .6rem; }
pre { background: var(--panel); border-radius: 8px; padding: .8rem 1rem; overflow-x: auto; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
footer { margin-top: 3rem; color: var(--soft); font-size: .8rem; }
@media (max-width: 40rem) { main { padding: 1.5rem 1rem 3rem; } h1 { font-size: 1.4rem; } .grid.fixed { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  figure.chart { margin-right: 0; } }
@media print { nav { display: none; } section { break-inside: avoid; } }
"""
