"""The page's style sheet: one set of variables for light, one for dark; the plots use them too."""

STYLE = """
:root {
  color-scheme: light dark;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  --page: #f4f5f8; --surface: #ffffff; --ink: #14181f; --muted: #667085; --line: #e2e5ec;
  --accent: #3157d5; --good: #16835c; --bad: #c8353b; --warn: #9a6700;
  --good-soft: #e3f4ec; --bad-soft: #fbe6e6;
  --series-0: #9db4ff; --series-1: #35b6a0; --series-2: #3157d5; --series-3: #8e4ec6;
  --series-4: #e58b2f; --series-5: #98a2b3;
  --shadow: 0 1px 2px rgb(16 24 40 / 6%), 0 4px 16px rgb(16 24 40 / 5%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1116; --surface: #171b22; --ink: #e8ebf1; --muted: #98a2b3; --line: #2b313c;
    --accent: #7d9bff; --good: #4ac795; --bad: #ff7b7f; --warn: #e3b341;
    --good-soft: #143227; --bad-soft: #3b1d20;
    --series-0: #4c62ad; --series-1: #3fc7b0; --series-2: #7d9bff; --series-3: #bd8cf0;
    --series-4: #f2a65a; --series-5: #667085;
    --shadow: none;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 var(--font); }
main { max-width: 1060px; margin: 0 auto; padding: 48px 24px 64px; }
header { display: flex; align-items: baseline; gap: 16px; flex-wrap: wrap; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -0.02em; margin: 0; }
h2 { font-size: 19px; letter-spacing: -0.01em; margin: 0 0 4px; }
h3 { font-size: 14px; margin: 0 0 4px; }
p { margin: 0 0 12px; } .muted { color: var(--muted); }
header + p { font-size: 18px; color: var(--muted); margin: 6px 0 28px; max-width: 46em; }
.chip { font-size: 13px; font-weight: 600; padding: 3px 11px; border-radius: 99px; }
.good { color: var(--good); } .bad { color: var(--bad); }
.chip.good { background: var(--good-soft); } .chip.bad { background: var(--bad-soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 14px; }
.tile, section { background: var(--surface); border: 1px solid var(--line); border-radius: 14px;
  box-shadow: var(--shadow); }
.tile { padding: 16px 18px; }
.tile b { display: block; font-size: 27px; line-height: 1.25; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.tile span { font-size: 13px; color: var(--muted); display: block; line-height: 1.45; }
.tile span:first-child { font-weight: 600; color: var(--ink); }
section { margin-top: 18px; padding: 24px 26px; }
section > p { color: var(--muted); max-width: 52em; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(290px, 1fr)); gap: 22px; }
.columns { display: grid; gap: 4px 36px;
  grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--muted); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
details { margin-top: 14px; } summary { cursor: pointer; color: var(--accent); font-size: 14px; }
details > * + * { margin-top: 10px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 0 0 14px;
  font-size: 14px; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--muted); font-size: 13px; margin-top: 26px; }
code { font: 0.92em ui-monospace, "DejaVu Sans Mono", monospace; }
"""
