"""Fingerprint of a checkout: what its commands make of fixed seeds, one line for each thing made.

A change that should not change numbers is checked by comparing two checkouts::

    python tools/fingerprint.py /path/to/before > before.txt
    python tools/fingerprint.py . > after.txt
    diff before.txt after.txt

Run are ``training simulate``, 50 steps of each recipe, ``packages build`` and ``packages check`` of
each reference model, and ``benchmark run`` of the four packages. Both checkouts are run by the
interpreter that runs this file. What depends on the clock (seconds, memory) is left out.
"""

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch

MODELS = ("care", "care_ensemble", "hdn", "hazematching")
COSTS = {"seconds_per_megapixel", "peak_mib"}
CLOCK = {"seconds", "waiting_for_data"}


def main() -> None:
    """Print the fingerprint of the checkout that is named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    checkout: Path = arguments.checkout.resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data = work / "data"
        run(checkout, "training", "simulate", data, "--images", 12, "--size", 128, "--seed", 1)
        for file in sorted(path for path in data.rglob("*") if path.is_file()):
            say("simulate", file.relative_to(data).as_posix(), digest(file.read_bytes()))
        for model in MODELS:
            out = work / "runs" / model
            asked = ("--data", data, "--out", out, "--steps", arguments.steps)
            run(checkout, "training", model, *asked)
            say_training(model, out)
        zips = [work / f"{model}.zip" for model in MODELS]
        for model, file in zip(MODELS, zips, strict=True):
            run(checkout, "packages", "build", model, "--out", file)
            say_package(model, file)
            found = work / f"{model}.json"
            run(checkout, "packages", "check", file, "--json", found, may_fail=True)
            for row in json.loads(found.read_text(encoding="utf-8"))["packages"][0]["rows"]:
                say("check", model, row["check"], row["result"]["status"])
        results = work / "results"
        run(checkout, "benchmark", "run", *zips, "--data", data, "--out", results)
        say_scores(results / "scores.csv")


def run(checkout: Path, *words: object, may_fail: bool = False) -> None:
    """Run a command of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *map(str, words)]
    ended = subprocess.run(
        command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL, check=False
    )
    if ended.returncode and not may_fail:
        sys.exit(f"{' '.join(command)} ended with status {ended.returncode}.")


def say(*words: object) -> None:
    """Print one line, at once."""
    print(*words, sep="\t", flush=True)


def say_training(model: str, out: Path) -> None:
    """Tell the losses and the weights of a run folder."""
    for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines():
        entry = {k: v for k, v in json.loads(line).items() if k not in CLOCK}
        say("training", model, json.dumps(entry, sort_keys=True))
    content: dict[str, Any] = torch.load(out / "weights.pt", weights_only=True)
    tensors = content["weights"]
    every = b"".join(name.encode() + tensors[name].numpy().tobytes() for name in sorted(tensors))
    say("training", model, "weights", digest(every))


def say_package(model: str, file: Path) -> None:
    """Tell the bytes of a package, file by file."""
    say("build", model, digest(file.read_bytes()))
    with zipfile.ZipFile(file) as archive:
        for name in sorted(archive.namelist()):
            say("build", model, name, digest(archive.read(name)))


def say_scores(file: Path) -> None:
    """Tell every score that is not a cost."""
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["metric"] not in COSTS:
                say("scores", *row.values())


def digest(content: bytes) -> str:
    """Return the first digits of a hash."""
    return hashlib.sha256(content).hexdigest()[:16]


if __name__ == "__main__":
    main()
