"""matplotlib figures as inline SVG that takes its colours and its font from the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plait import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A colour that no figure uses otherwise -> the CSS variable that stands for it. So one drawing
# serves a light and a dark page.
INK, MUTED, LINE, SURFACE, ACCENT, GOOD, BAD = (f"#0102{index:02d}" for index in range(7))
SERIES = tuple(f"#0103{index:02d}" for index in range(6))
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    SURFACE: "--surface",
    ACCENT: "--accent",
    GOOD: "--good",
    BAD: "--bad",
    **{color: f"--series-{index}" for index, color in enumerate(SERIES)},
}

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}


def draw(name: str, description: str, width: float, height: float, paint: Painter) -> str:
    """An <svg> element: `paint` draws into a figure of that many inches.

    name makes the element's ids unique on the page; description is read to those who can't see it.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            where="plait.report",
            expected="matplotlib, which draws the plots",
            got=str(error),
            action="Install it: pip install 'plait[zoo]'.",
        ) from error
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        buffer = io.StringIO()
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return _inline(buffer.getvalue(), name, description)


Painter = Callable[["Figure"], None]


def _inline(document: str, name: str, description: str) -> str:
    """The <svg> element of a document without what only a file of its own needs."""
    svg = document[document.index("<svg") :]
    opening, _, rest = svg.partition(">")
    found = re.search(r'viewBox="([^"]+)"', opening)
    assert found is not None  # matplotlib always writes one
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    rest = re.sub(r"font: ([^;\"]*?)'[^;\"]*", r"font: \1var(--font)", rest)
    rest = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", rest)
    rest = rest.replace("xlink:href", "href")
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = re.sub(r"url\(#", f"url(#{name}-", rest)
    rest = re.sub(r'href="#', f'href="#{name}-', rest)
    for color, variable in _VARIABLES.items():
        rest = rest.replace(color, f"var({variable})")
    return f'<svg viewBox="{found[1]}" role="img" aria-label="{description}">{rest.strip()}'
