"""Six cameras and a LiDAR fused on the plane around a car, in the shapes of CUDA-BEVFusion scaled
to a CPU: lift-splat for the cameras, pillars for the LiDAR, a convolutional fuser and a head.

Sources: Philion and Fidler, Lift, Splat, Shoot (2020); Lang et al., PointPillars (2019); Liu et
al., BEVFusion (2022).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from plait_export import ops
from plait_export.zoo.bev_geometry import CAMERAS, Scale, cells_of_rays

_RELATIVE = 3  # offsets of a point from its pillar's mean


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """A convolution with its norm."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


class CameraEncoder(nn.Module):
    """[batch, 3, height, width] -> [batch, bins + channels, height / stride, width / stride]: for
    each pixel how likely each depth is, then its features."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.bins = scale.bins
        steps: list[nn.Module] = []
        before, after, stride = 3, 16, scale.stride
        while stride > 1:
            steps.append(_block(before, after, 2))
            before, after, stride = after, min(2 * after, 64), stride // 2
        self.backbone = nn.Sequential(*steps, _block(before, 64))
        self.split = nn.Conv2d(64, scale.bins + scale.channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.split(self.backbone(image))
        depth, context = features[:, : self.bins], features[:, self.bins :]
        return torch.cat([depth.softmax(dim=1), context], dim=1)


class LidarEncoder(nn.Module):
    """[batch, points, 4] -> [batch, channels, cells, cells]: the maximum over each pillar's points,
    then convolutions."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        side = 2.0 * scale.reach / scale.pillars
        self.lower = [-scale.reach, -scale.reach, scale.lowest]
        self.upper = [scale.reach, scale.reach, scale.highest]
        self.size = [side, side, scale.highest - scale.lowest]
        self.pillars = scale.pillars
        self.most = min(scale.points, scale.pillars**2)
        self.register_buffer("still", torch.eye(3, 4))  # points come in the vehicle's frame
        self.embed = nn.Linear(4 + _RELATIVE, scale.channels)
        stride = scale.pillars // scale.cells
        self.layers = nn.Sequential(
            _block(scale.channels, scale.channels, stride), _block(scale.channels, scale.channels)
        )

    def forward(self, points: Tensor) -> Tensor:
        return cast(Tensor, self.layers(ops.each(self.canvas, points)))

    def canvas(self, points: Tensor) -> Tensor:
        """One cloud [points, 4] as a canvas [channels, pillars, pillars]."""
        voxels = ops.voxel_reduce(
            points,
            cast(Tensor, self.still),
            lower=self.lower,
            upper=self.upper,
            size=self.size,
            capacity=self.most,
        )
        there = (voxels.voxels >= 0)[:, None]
        row = voxels.voxels.clamp(min=0).long()
        known = torch.where(there, points, torch.zeros_like(points))
        relative = known[:, :3] - voxels.features[row][:, :3]
        raw = torch.cat([known[:, :3] / self.upper[0], known[:, 3:], relative], dim=1)
        values = torch.relu(self.embed(raw))
        cells = torch.where(there[:, 0], voxels.cells[row], -1).int()
        return ops.pillar_scatter(values, cells, self.pillars, self.pillars, "max")


class Fuser(nn.Module):
    """Features of six cameras, of the LiDAR, and presence -> a heat map [batch, classes, cells,
    cells]: how likely an object's middle is in each cell."""

    def __init__(self, scale: Scale, classes: int) -> None:
        super().__init__()
        self.bins, self.cells = scale.bins, scale.cells
        points = ops.bev_points(torch.from_numpy(cells_of_rays(scale)), scale.cells**2)
        for name, value in points._asdict().items():
            self.register_buffer(name, value)
        channels = scale.channels
        self.camera = _block(channels, channels)
        self.fuse = nn.Sequential(
            _block(2 * channels, 2 * channels), _block(2 * channels, channels)
        )
        self.heat = nn.Conv2d(channels, classes, 1)

    def forward(self, *inputs: Tensor) -> Tensor:
        *cameras, lidar, presence = inputs
        here = presence[:, :, None, None, None]
        seen = torch.stack(cameras, dim=1) * here[:, : len(CAMERAS)]
        plane = ops.each(self.pool, seen[:, :, : self.bins], seen[:, :, self.bins :])
        both = torch.cat([self.camera(plane), lidar * here[:, -1]], dim=1)
        return torch.sigmoid(self.heat(self.fuse(both)))

    def pool(self, depth: Tensor, context: Tensor) -> Tensor:
        """What the cameras see, [cameras, bins or channels, rows, columns], on the plane."""
        points = ops.BevPoints(*(getattr(self, name) for name in ops.BevPoints._fields))
        return ops.bev_pool(depth, context, points, self.cells)


class BevNet(nn.Module):
    """One camera encoder for all cameras, the LiDAR's, and the head."""

    def __init__(self, scale: Scale, classes: int) -> None:
        super().__init__()
        self.camera = CameraEncoder(scale)
        self.lidar = LidarEncoder(scale)
        self.fuser = Fuser(scale, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # PyTorch's own would leave answers nearly constant
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
