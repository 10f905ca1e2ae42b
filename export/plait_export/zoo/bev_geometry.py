"""Where the cameras of a car look, what a LiDAR on its roof sees, and which cell of the plane a
camera's ray falls into: the geometry of the BEV model, without a data set.

The vehicle's frame: x to the front, y to the left, z up, metres, zero on the road below the middle
of the car.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Directions of nuScenes' six cameras, degrees to the left of the front.
CAMERAS = {
    "front": 0.0,
    "front_left": 55.0,
    "front_right": -55.0,
    "back": 180.0,
    "back_left": 110.0,
    "back_right": -110.0,
}
_CAMERA_HEIGHT = 1.5
_CAMERA_REACH = 0.8  # from the middle of the car
_FIELD_OF_VIEW = np.deg2rad(70.0)
_LIDAR_HEIGHT = 1.8


@dataclass(frozen=True)
class Scale:
    """Sizes of a model: the published shapes, or a part of them.

    image: height and width of a camera's input. stride: of its encoder. reach: metres from the car
    to each side of the plane. cells: of the plane along each side. bins: of depth, up to the reach.
    pillars: cells of the LiDAR's grid along each side. points: the LiDAR's capacity.
    channels: of the plane's features.
    """

    image: tuple[int, int] = (128, 352)
    stride: int = 16
    reach: float = 51.2
    cells: int = 64
    bins: int = 48
    pillars: int = 128
    points: int = 24000
    channels: int = 32
    lowest: float = -3.0
    highest: float = 5.0


def camera_to_vehicle(degrees: float) -> Array:
    """[3, 4]: a camera that looks in a direction, its axes right, down and ahead."""
    turn = np.deg2rad(degrees)
    ahead = np.array([np.cos(turn), np.sin(turn), 0.0])
    right = np.array([np.sin(turn), -np.cos(turn), 0.0])
    down = np.array([0.0, 0.0, -1.0])
    place = _CAMERA_REACH * ahead + [0.0, 0.0, _CAMERA_HEIGHT]
    return np.stack([right, down, ahead, place], axis=1)


def lidar_to_vehicle() -> Array:
    """[3, 4]: on the roof, turned to the left as nuScenes' is, whose y looks ahead."""
    return np.array([[0.0, 1.0, 0.0, 0.9], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, _LIDAR_HEIGHT]])


def cells_of_rays(scale: Scale) -> NDArray[np.int64]:
    """The cell of the plane [cameras, bins, rows, columns] that each pixel of the cameras' features
    falls into at each depth; -1 beyond the plane."""
    rows, columns = (side // scale.stride for side in scale.image)
    # A pinhole in the middle of the image; features lie in the middle of their pixels.
    focal = columns / 2.0 / np.tan(_FIELD_OF_VIEW / 2.0)
    v, u = np.meshgrid(np.arange(rows) + 0.5, np.arange(columns) + 0.5, indexing="ij")
    ray = np.stack(
        [(u - columns / 2.0) / focal, (v - rows / 2.0) / focal, np.ones_like(u)], axis=-1
    )
    depths = 1.0 + (np.arange(scale.bins) + 0.5) * (scale.reach - 1.0) / scale.bins
    seen = depths[:, None, None, None] * ray
    cells = []
    for degrees in CAMERAS.values():
        matrix = camera_to_vehicle(degrees)
        place = seen @ matrix[:, :3].T + matrix[:, 3]
        step = np.floor((place[..., :2] + scale.reach) / (2.0 * scale.reach / scale.cells))
        inside = ((step >= 0) & (step < scale.cells)).all(axis=-1)
        inside &= (place[..., 2] >= scale.lowest) & (place[..., 2] < scale.highest)
        column, row = step[..., 0], step[..., 1]
        cells.append(np.where(inside, row * scale.cells + column, -1).astype(np.int64))
    return np.stack(cells)


def sweep(
    generator: np.random.Generator, beams: int = 32, turns: int = 1000
) -> NDArray[np.float32]:
    """One turn of a LiDAR between boxes on a road: [points, 5], x, y, z, intensity (0 to 255) and
    ring in its own frame. A beam that meets nothing gives NaN, as drivers do.
    """
    height = np.deg2rad(np.linspace(-30.0, 10.0, beams))
    angle = np.linspace(0.0, 2.0 * np.pi, turns, endpoint=False)
    elevation, azimuth = np.meshgrid(height, angle, indexing="ij")
    flat = np.cos(elevation)
    ray = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=-1)
    ray = ray.reshape(-1, 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(ray[:, 2] < 0.0, -_LIDAR_HEIGHT / ray[:, 2], np.inf)
        for _ in range(int(generator.integers(8, 25))):
            distance = np.minimum(distance, _to_box(ray, generator))
    distance[distance > 90.0] = np.nan
    distance += generator.normal(0.0, 0.02, len(distance))
    intensity = generator.uniform(0.0, 255.0, len(distance))
    ring = np.repeat(np.arange(beams), turns)
    return np.column_stack([ray * distance[:, None], intensity, ring]).astype(np.float32)


def _to_box(ray: Array, generator: np.random.Generator) -> Array:
    """How far it is along each ray to a box that stands on the road, as wide as cars or houses."""
    middle = generator.uniform(4.0, 45.0) * _direction(generator.uniform(0.0, 2.0 * np.pi))
    half = generator.uniform(0.3, 3.0, 2)
    low = np.array([*(middle - half), -_LIDAR_HEIGHT])
    high = np.array([*(middle + half), generator.uniform(-1.0, 3.0)])
    one, other = low / ray, high / ray
    near = np.minimum(one, other).max(axis=1)
    far = np.maximum(one, other).min(axis=1)
    return np.where((near <= far) & (near > 0.0), near, np.inf)


def _direction(angle: float) -> Array:
    return np.array([np.cos(angle), np.sin(angle)])
