"""Register strips of exact pairs, as they are and displaced by a known shift.

python -m docs.examples.register_strips W2S_FOLDER, with NAME_avg1.tif and NAME_avg400.tif.

The thresholds of `benchmark.registration` were set while looking at the middle of these images; the
strips at their upper and lower borders were not looked at.
"""

import sys
from pathlib import Path

import numpy as np

from benchmark.registration.registration import register_pair
from imaging import images
from imaging.cli import console

_HEIGHT = 128
_SHIFT = np.array([5, 9])


def main() -> None:
    """Print what is kept of each strip, and the error of the found positions."""
    for file in sorted(Path(sys.argv[1]).glob("*_avg1.tif")):
        one, many = (
            images.read(path).values.astype(np.float64)
            for path in (file, file.with_name(file.name.replace("avg1", "avg400")))
        )
        for top in (0, one.shape[0] - _HEIGHT):
            strips = one[top : top + _HEIGHT], many[top : top + _HEIGHT]
            kept = [register_pair(*strips, elastic=elastic).kept for elastic in (False, True)]
            rows, columns = np.array(strips[0].shape) - _SHIFT
            displaced = register_pair(
                strips[0][:rows, :columns], strips[1][_SHIFT[0] :, _SHIFT[1] :], elastic=False
            )
            error = np.linalg.norm(displaced.after.field + _SHIFT[:, None, None], axis=0)
            inner = error[16:-16, 16:-16]
            found = f"affine {kept[0]}, elastic {kept[1]}; displaced {displaced.kept}, error"
            middle, most = np.percentile(inner, [50, 95])
            said = f"{file.name} from row {top}: {found} {middle:.2f}, 95 % {most:.2f}"
            console.print(said, soft_wrap=True)


if __name__ == "__main__":
    main()
