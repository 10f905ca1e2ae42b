"""How fast a bundle answers on this device, stage by stage and for every set of sensors.

For instance:

    from plait import bench
    report = bench.measure("watch.plait", presences=[("accelerometer",)])
    print(report.rows[0].stages["total"].p99_us)
"""

from plait.bench.measure import BenchReport, BenchRow, LoadCost, measure
from plait.bench.spread import Spread

__all__ = ["BenchReport", "BenchRow", "LoadCost", "Spread", "measure"]
