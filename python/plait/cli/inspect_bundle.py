"""`plait inspect`: what is in a bundle, without running it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

import plait
from plait.cli.options import BundleArgument, JsonOption
from plait.cli.outcome import ExitCode, command
from plait.cli.output import bytes_text, console, presence_text, write_json
from plait.kinds import kind_of

_MISSING = {
    "learned": "a learned token takes its place",
    "mask": "attention leaves it out",
    "refuse": "no answer without it",
}

# More labels than these are not all shown.
_MOST_LABELS = 40
_FEW_LABELS = 8


@command
def inspect(bundle: BundleArgument, as_json: JsonOption = False) -> ExitCode:
    """Show what is in a bundle: sensors, heads, precisions, sizes, quality, gate, lineage."""
    manifest = plait.Bundle(bundle).manifest
    sizes = bundle_sizes(bundle, manifest)
    if as_json:
        quality = manifest.get("quality", [])
        write_json({"manifest": manifest, "quality": quality, "sizes": sizes})
    else:
        console().print(Group(*_page(bundle, manifest, sizes)))
    return ExitCode.OK


def bundle_sizes(path: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes of the file, its golden data, its members, and of the graphs of each precision."""
    members = {name: member["bytes"] for name, member in manifest["members"].items()}
    return {
        "file": os.path.getsize(path),
        "golden": sum(size for name, size in members.items() if name.startswith("golden/")),
        "precisions": {
            variant["precision"]: sum(members[m] for m in set(variant["members"].values()))
            for variant in manifest["variants"]
        },
        "members": members,
    }


def _page(
    path: Path, manifest: Mapping[str, Any], sizes: Mapping[str, Any]
) -> list[RenderableType]:
    version = manifest["format_version"]
    head = Text.assemble(
        (manifest["name"], "bold cyan"),
        f"  {path.name}, {bytes_text(sizes['file'])}, format {version['major']}.{version['minor']}",
        f", made {manifest['created']}" if "created" in manifest else "",
    )
    tree = Tree(head)
    if manifest.get("description"):
        tree.add(Text(manifest["description"], style="italic"))
    modalities = tree.add("[bold]modalities")
    for modality in manifest["modalities"]:
        _add_modality(modalities, modality)
    heads = tree.add("[bold]heads")
    for entry in manifest["heads"]:
        heads.add(_head_text(entry))
    _add_variants(tree.add("[bold]precisions"), manifest, sizes)
    cases = manifest.get("golden", {}).get("cases", [])
    tree.add(
        Text.assemble(("golden  ", "bold"), f"{len(cases)} cases, {bytes_text(sizes['golden'])}")
    )
    if manifest.get("lineage"):
        _add_plain(tree.add("[bold]lineage"), manifest["lineage"])
    parts: list[RenderableType] = [tree]
    if manifest.get("quality"):
        parts.append(_quality_table(manifest))
    if manifest.get("gate"):
        parts.append(_gate_text(manifest["gate"]))
    return parts


def _add_modality(tree: Tree, modality: Mapping[str, Any]) -> None:
    branch = tree.add(Text.assemble((modality["name"], "cyan"), f"  {modality['kind']}"))
    for line in kind_of(modality).lines(modality[modality["kind"]]):
        branch.add(Text(line))
    branch.add(
        f"older than {modality['max_age_ms']:g} ms counts as absent; when absent, "
        f"{_MISSING.get(modality['when_missing'], modality['when_missing'])}"
    )


def _head_text(head: Mapping[str, Any]) -> Text:
    labels = head.get("labels", [])
    units = head.get("units", [])
    if units:
        labels = [f"{label} [{unit}]" for label, unit in zip(labels, units, strict=False)]
    shown = labels if len(labels) <= _MOST_LABELS else [*labels[:_FEW_LABELS], "..."]
    count = f" ({len(labels)} labels)" if len(labels) > _MOST_LABELS else ""
    what = f": {', '.join(shown)}{count}" if labels else ""
    if "space" in head:
        what = f" in space {head['space']['name']}"
    return Text.assemble(
        (head["name"], "cyan"), f"  {head['kind']} of {' + '.join(head['modalities'])}{what}"
    )


def _add_variants(tree: Tree, manifest: Mapping[str, Any], sizes: Mapping[str, Any]) -> None:
    for variant in manifest["variants"]:
        precision = variant["precision"]
        default = precision == manifest["default_precision"]
        median = f", {variant['median_us']:.0f} us" if "median_us" in variant else ""
        branch = tree.add(
            Text.assemble(
                (precision, "cyan"),
                (" (default)" if default else "", "green"),
                f"  {variant['scheme']}, {variant['form']}, "
                f"{bytes_text(sizes['precisions'][precision])}{median}",
            )
        )
        for graph, member in variant["members"].items():
            branch.add(Text(f"{graph}  {bytes_text(sizes['members'][member])}"))


def _quality_table(manifest: Mapping[str, Any]) -> Table:
    heads = [head["name"] for head in manifest["heads"]]
    rows = sorted(manifest["quality"], key=lambda row: heads.index(row["head"]))
    precisions = list(dict.fromkeys(row["precision"] for row in rows))
    modalities = [modality["name"] for modality in manifest["modalities"]]
    table = Table(title="\nQuality on held-out data", title_justify="left", box=None)
    for column in ("head", "metric", "present"):
        table.add_column(column)
    for precision in precisions:
        mark = " *" if precision == manifest["default_precision"] else ""
        table.add_column(f"{precision}{mark}", justify="right")
    table.add_column("samples", justify="right")
    grouped: dict[tuple[str, str, tuple[str, ...]], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        key = (row["head"], row["metric"], tuple(row["presence"]))
        grouped.setdefault(key, {})[row["precision"]] = row
    for (head, metric, presence), found in grouped.items():
        values = [f"{found[p]['value']:.4f}" if p in found else "" for p in precisions]
        samples = max(row.get("samples", 0) for row in found.values())
        table.add_row(head, metric, presence_text(presence, modalities), *values, str(samples))
    return table


def _gate_text(gate: Mapping[str, Any]) -> Text:
    attempts = gate.get("attempts", [])
    text = Text.assemble(
        ("\nGate  ", "bold"),
        f"{_of_heads(gate.get('metric', 'metric'))} may drop by {_of_heads(gate.get('max_drop'))} "
        f"in any presence set; {gate.get('samples', 'unknown')} samples; {len(attempts)} attempts",
    )
    for attempt in attempts:
        text.append(f"\n  {attempt_text(attempt)}")
    return text


def _of_heads(value: Any) -> str:
    """What the gate states once for all heads, or by head."""
    if isinstance(value, Mapping):
        return ", ".join(f"{_of_heads(of)} ({head})" for head, of in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def attempt_text(attempt: Mapping[str, Any]) -> str:
    """One thing that the gate tried, in a line."""
    outcome = attempt.get("outcome", "passed" if attempt.get("passed") else "failed")
    kept = attempt.get("kept_fp32") or []
    moved = f", {len(kept)} layers kept in fp32" if kept else ""
    scores = attempt.get("scores") or []
    drop = f", worst drop {max(score['drop'] for score in scores):.4f}" if scores else ""
    median = attempt.get("median_us")
    speed = f", {median:.0f} us" if median is not None else ""
    chosen = ", chosen" if attempt.get("chosen") else ""
    name = f"{attempt.get('precision', '')} {attempt.get('scheme', '')}".strip()
    return f"{name}: {outcome}{drop}{moved}{speed}{chosen}"


def _add_plain(tree: Tree, value: Any) -> None:
    """Any JSON value as branches: lineage is free in form."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, item in items:
        if isinstance(item, Mapping):
            if item:
                _add_plain(tree.add(Text(str(key))), item)
        else:
            tree.add(Text(f"{key}  {_plain(item)}"))


def _plain(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(item) for item in value)
    return str(value)
