"""What trust masks hold: ``python -m docs.examples.trust_masks ZIP... --data DATASET...``.

Prints, for each package and dataset with known truth, the share of false structures under the mask
and the share of the truth's structures that it covers, at each promised share: means over images
with 95 % bootstrap intervals over sources. All images of a dataset are used, whatever their part.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cyclopts import App

from imaging.bootstrap import Estimate, estimate_mean
from imaging.cli import UserError, progress
from imaging.cli import run as run_app
from imaging.datasets import Item, open_dataset
from imaging.files import sha256
from imaging.normalise import normalise
from imaging.risk_control import Judged, false_share
from imaging.structures import are_shown, covered_share, find_structures, paint
from imaging.trust_mask import TrustMask
from packages.package import open_package
from packages.runner import Runner
from packages.trust_mask import read_trust_mask

app = App(name="python -m docs.examples.trust_masks", result_action="return_value")


@app.default
def trust_masks(*packages: Path, data: list[Path], images: int | None = None) -> None:
    """Measure trust masks.

    Parameters
    ----------
    packages
        With a trust mask.
    data
        Datasets of planes with their truth.
    images
        How many of each dataset; all without it.
    """
    print("| package | images | promised real | false under the mask | truth's structures inside |")
    print("|---|---|---|---|---|")
    for package in packages:
        for dataset in data:
            items = open_dataset(dataset).items[:images]
            for share, false, found in _measure(package, items):
                what = (package.stem, f"{dataset.name} ({len(items)})", share)
                print(f"| {' | '.join((*what, _written(false), _written(found)))} |", flush=True)
    for path in (*packages, *data):
        print(f"{path.name}: sha256 {sha256(path)}")


def _measure(path: Path, items: Sequence[Item]) -> list[tuple[str, Estimate, Estimate]]:
    with open_package(path) as package:
        trust, runner = read_trust_mask(package), Runner(package)
        with progress() as bars:
            bar = bars.add_task(f"{path.stem}", total=len(items))
            rows = list[list[tuple[float, float]]]()
            for item in items:
                rows.append(_judge(runner, item, trust))
                bars.advance(bar)
    sources = [item.source for item in items]
    false, found = np.moveaxis(np.array(rows), -1, 0)
    return [
        (share, estimate_mean(false[:, i], sources), estimate_mean(found[:, i], sources))
        for i, share in enumerate(trust.heights)
    ]


def _judge(runner: Runner, item: Item, trust: TrustMask) -> list[tuple[float, float]]:
    """Return, for each promised share, what is false under the mask and what it covers."""
    target = item.read_target()
    if target is None:
        raise UserError(f"{item.input} has no truth: give simulated pairs.")
    truth = normalise(target.values)
    restored = runner(item.read_input()).isel(c=0).values
    structures = find_structures(restored, trust.scale_px)
    judged = Judged(structures.heights, are_shown(structures, truth, trust.scale_px))
    found: list[tuple[float, float]] = []
    for level in trust.levels:
        mask = paint(restored, [level], trust.scale_px)
        covered = covered_share(truth, mask, trust.scale_px)
        found.append((false_share(judged, level), 0.0 if covered is None else covered))
    return found


def _written(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:.1%}"
    return f"{estimate.mean:.1%} ({estimate.low:.1%} – {estimate.high:.1%})"


if __name__ == "__main__":
    run_app(app)
