"""The one error of its own that the exporter raises.

What the user said wrongly is a `plait.ConfigError`; what then failed is an `ExportError`.
"""

from __future__ import annotations

import plait


class ExportError(plait.Error):
    """An export that cannot be finished: nothing was written, an existing bundle is untouched.

    Has the four parts of every Plait error: `where`, `expected`, `got`, `action`.
    """
