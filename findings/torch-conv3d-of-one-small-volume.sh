#!/usr/bin/env bash
# torch on a CPU: two small volumes take less time through Conv3d than one of them.
#
# Guess. A convolution of a batch of two costs twice that of a batch of one; the same kernels run.
# Behaviour. For 3-D kernels of 3 voxels, a batch of one goes through oneDNN only where channels x planes x rows
# exceed 20,480; below, a path that unfolds the input runs, about five times slower per volume. A batch of two goes
# through oneDNN whatever its size: giving the volume twice and dropping one result is faster than giving it once.
# Values agree to rounding, nothing is said. Planes (Conv2d) of as many voxels show no such jump.
# Versions. torch 2.13.0 (CPU), Python 3.11, one thread, x86-64 with AVX-512.
# Output seen.
#   1 volume of 32 x 12 x 40 x 40: 64.0 ms; 2 at once: 29.6 ms; agree: True
#   1 volume of 32 x 20 x 40 x 40: 22.5 ms; 2 at once: 45.2 ms; agree: True
# Who meets it. Who restores or segments stacks tile by tile on a CPU with a 3-D network (tiles of one, coarse levels
# of a U-Net), and who trains one with a batch of one; smaller tiles are then not cheaper but dearer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy<2.4"
cat > "$folder/show.py" <<'PYTHON'
import sys
import time

import torch

torch.set_num_threads(1)
convolution = torch.nn.Conv3d(32, 32, 3, padding=1)


def seconds(volumes):
    convolution(volumes)
    taken = []
    for _ in range(9):
        start = time.process_time()
        convolution(volumes)
        taken.append(time.process_time() - start)
    return sorted(taken)[4]


ratios = {}
with torch.inference_mode():
    for planes in (12, 20):
        volume = torch.rand(1, 32, planes, 40, 40)
        twice = torch.cat([volume, volume])
        one, two = seconds(volume), seconds(twice)
        agree = torch.allclose(convolution(volume), convolution(twice)[:1], atol=1e-5)
        ratios[planes] = two / one
        size = f"32 x {planes} x 40 x 40"
        print(f"1 volume of {size}: {1e3 * one:.1f} ms; 2 at once: {1e3 * two:.1f} ms; agree: {agree}")
# Two for less than one below the limit, two for about twice as much above it.
sys.exit(0 if ratios[12] < 0.8 and ratios[20] > 1.5 else "This behaviour has changed.")
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/show.py"
