"""Make a dataset of registered crops of BioSR: ``python -m docs.examples.biosr_pairs FOLDER OUT``.

FOLDER holds input/ (wide-field, 62.6 nm) and target/ (SIM, 31.3 nm) with numbered crops of fields
that are not named. Crops with numbers far apart may show the same pixels, so crops that overlap are
found by their normalised cross-correlation (Lewis, Vision Interface 1995, 120) and make one source,
the whole of which goes into one part. With ``--by numbers`` blocks of consecutive numbers are the
sources instead, and how many held-out crops then share pixels with training crops is printed.
So is how far targets lie beside their inputs.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from cyclopts import App
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from imaging import images
from imaging.cli import command_line, console, progress
from imaging.cli import run as run_app
from imaging.dataset_facts import SPLITS, Facts, ImageFacts, Split, write_facts
from imaging.datasets import new_dataset, open_dataset
from imaging.files import sha256

app = App(name="python -m docs.examples.biosr_pairs", result_action="return_value")

Plane = NDArray[np.float32]
Spectrum = NDArray[np.complex128]  # complex64 of planes of float32
SHARES: dict[Split, float] = {"train": 2 / 3, "calibration": 1 / 9, "validation": 2 / 9}
PIXEL_UM = 0.0626
APERTURE, WAVELENGTH_UM = 1.41, 0.525  # of the objective, and of the light that microtubules emit
BEYOND = 1.05  # times the highest frequency that passes
BLOCK = 10
HELD_OUT_BLOCKS: dict[int, Split] = {
    2: "validation", 11: "calibration", 13: "validation", 16: "calibration", 18: "validation",
}  # fmt: skip
FINE_PX, COARSE_PX = 1.2, 10.0  # between them lies what tells one place from another
BLUR_PX, SHADING_PX = 3.5, 8.0  # of the target, as wide-field blurs; of the input
LEAST_OVERLAP = 0.03  # of a crop: of less, unlike places correlate as well
SAME = 0.93  # of overlapping crops it is above 0.95, of others below 0.9


@app.default
def biosr_pairs(folder: Path, out: Path, /, by: Literal["fields", "numbers"] = "fields") -> None:
    """Copy the crops and write their dataset.toml.

    Parameters
    ----------
    folder
        With input/ and target/, crops of one size named by a letter and a number.
    out
        Folder to make.
    by
        What is a source: fields, or blocks of ten consecutive numbers of which some are held out,
        without their first and last.
    """
    found = open_dataset(folder)
    names = [item.name for item in found.items]
    inputs = [images.read(item.input).values for item in found.items]
    targets = [images.read(item.target).values for item in found.items if item.target is not None]
    overlaps = find_overlaps(names, targets)
    facts = by_field(names, overlaps) if by == "fields" else by_number(names)
    for name, image in zip(names, inputs, strict=True):
        if name in facts:
            facts[name] = replace(facts[name], microscope=see_microscope(image))
    with new_dataset(out) as made:
        for part in ("input", "target"):
            (made / part).mkdir()
            for name in facts:
                shutil.copyfile(folder / part / f"{name}.tif", made / part / f"{name}.tif")
        write_facts(
            made,
            Facts(
                description=(
                    "Crops of BioSR microtubules, wide-field as mean of nine raw frames and SIM, "
                    "each normalised by its source. Targets lie about half of their pixels beside "
                    "their inputs, to either side along either axis."
                ),
                pixel_size_um=PIXEL_UM,
                target_pixel_size_um=PIXEL_UM / 2,
                registration="approximate",
                provenance={
                    "command": command_line(
                        "python -m docs.examples.biosr_pairs", folder, out, by=by
                    ),
                    "sha256 of input": sha256(folder / "input"),
                    "sha256 of target": sha256(folder / "target"),
                },
                images=facts,
            ),
        )
    for part in SPLITS:
        of_part = [one for one in facts.values() if one.split == part]
        sources = {one.source for one in of_part}
        console.print(f"{part}: {len(of_part)} crops of {len(sources)} {by}")
    shared = {
        held
        for pair in overlaps
        for held, other in (pair, pair[::-1])
        if held in facts and other in facts
        if facts[held].split != "train" and facts[other].split == "train"
    }
    console.print(f"held-out crops that share pixels with training crops: {len(shared)}")
    for axis, beside in zip("yx", np.transpose(find_displacements(inputs, targets)), strict=True):
        sides = [
            np.percentile(side, [25, 50, 75]) for side in (beside[beside < 0], beside[beside > 0])
        ]
        console.print(
            f"targets beside inputs along {axis}, px of the target, quartiles on either side: "
            + "; ".join(", ".join(f"{value:.2f}" for value in side) for side in sides),
            soft_wrap=True,
        )


def see_microscope(image: Plane) -> dict[str, float | int | str]:
    """Return what deconvolution asks for: the PSF by theory, and noise as the image shows it.

    Beyond the highest frequency that an objective passes, 2 NA / wavelength, there is noise alone.
    It is taken for that of photons, of which the mean then says how many there are.
    """
    rows, columns = image.shape
    taper = np.hanning(rows)[:, None] * np.hanning(columns)
    power = np.abs(np.fft.fft2((image - image.mean()) * taper)) ** 2 / (taper**2).sum()
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)) / PIXEL_UM
    noise = power[frequency > BEYOND * 2 * APERTURE / WAVELENGTH_UM].mean()
    gain = float(noise / image.mean())
    return {
        "blur_fwhm_um": 0.51 * WAVELENGTH_UM / APERTURE,
        "gain_counts_per_photon": gain,
        "background_photons": float(np.percentile(image, 2)) / gain,
        "excess_noise_factor": 1.0,
        "offset_counts": 0.0,
        "read_noise_counts": 0.0,
    }


def by_field(names: Sequence[str], overlaps: Iterable[tuple[str, str]]) -> dict[str, ImageFacts]:
    """Give each group of overlapping crops to the part that lacks most of its share so far."""
    first_of = {name: name for name in names}
    for one, other in overlaps:
        low, high = sorted((first_of[one], first_of[other]))
        first_of = {name: low if first == high else first for name, first in first_of.items()}
    crops: dict[str, list[str]] = defaultdict(list)
    for name, first in first_of.items():
        crops[first].append(name)
    counts = dict.fromkeys(SPLITS, 0)
    facts: dict[str, ImageFacts] = {}
    for first, group in crops.items():
        total = sum(counts.values()) + len(group)
        part = max(SPLITS, key=lambda part: SHARES[part] * total - counts[part])
        counts[part] += len(group)
        facts |= {name: ImageFacts(f"field of {first}", part) for name in group}
    return dict(sorted(facts.items()))


def by_number(names: Iterable[str]) -> dict[str, ImageFacts]:
    """Divide by blocks of numbers; the ends of held-out blocks are left out."""
    facts: dict[str, ImageFacts] = {}
    for name in names:
        block, place = divmod(int(name[1:]), BLOCK)
        part = HELD_OUT_BLOCKS.get(block, "train")
        if part == "train" or 0 < place < BLOCK - 1:
            facts[name] = ImageFacts(f"numbers from {block * BLOCK}", part)
    return facts


def find_overlaps(names: Sequence[str], planes: Sequence[Plane]) -> list[tuple[str, str]]:
    """Find the pairs of planes of one size, (y, x), that show the same place in part."""
    rows, columns = planes[0].shape
    padded = (2 * rows, 2 * columns)
    all_of_it = np.fft.rfft2(np.ones((rows, columns), np.float32), padded)

    def correlate(one: Spectrum, other: Spectrum) -> Plane:
        return np.fft.irfft2(one * other.conj(), padded).astype(np.float32, copy=False)

    def within(spectrum: Spectrum) -> tuple[Plane, Plane]:
        return correlate(spectrum, all_of_it)[enough], correlate(all_of_it, spectrum)[enough]

    overlap = correlate(all_of_it, all_of_it)
    enough = overlap > LEAST_OVERLAP * rows * columns
    pixels = overlap[enough]
    spectra: list[Spectrum] = []
    # Within the overlap, for the plane as the first of a pair and as the second:
    sums: list[tuple[Plane, Plane]] = []
    norms: list[tuple[Plane, Plane]] = []
    for plane in planes:
        band = ndimage.gaussian_filter(plane, FINE_PX) - ndimage.gaussian_filter(plane, COARSE_PX)
        band = (band / band.std()).astype(np.float32)
        spectrum, energy = np.fft.rfft2(band, padded), np.fft.rfft2(band**2, padded)
        spectra.append(spectrum)
        sums.append(within(spectrum))
        first, second = (
            np.sqrt(squares - total**2 / pixels)
            for squares, total in zip(within(energy), sums[-1], strict=True)
        )
        norms.append((first, second))
    found: list[tuple[str, str]] = []
    pairs = list(combinations(range(len(planes)), 2))
    with progress() as bars:
        for i, j in bars.track(pairs, description="looking for overlaps"):
            shared = correlate(spectra[i], spectra[j])[enough] - sums[i][0] * sums[j][1] / pixels
            if (shared / (norms[i][0] * norms[j][1])).max() > SAME:
                found.append((names[i], names[j]))
    return found


def find_displacements(inputs: Sequence[Plane], targets: Sequence[Plane]) -> NDArray[np.float64]:
    """Find by cross-correlation how far inputs lie from targets, (pairs, 2) pixels of the target.

    The targets are blurred and averaged to the grid of the inputs, from whose upper left corner
    both begin.
    """
    found: list[NDArray[np.float64]] = []
    for image, truth in zip(inputs, targets, strict=True):
        (rows, columns), factor = image.shape, truth.shape[0] // image.shape[0]
        blurred = ndimage.gaussian_filter(truth, BLUR_PX).reshape(rows, factor, columns, factor)
        taper = np.hanning(rows)[:, None] * np.hanning(columns)
        views = [
            (plane - ndimage.gaussian_filter(plane, SHADING_PX)) * taper
            for plane in (blurred.mean(axis=(1, 3)), image)
        ]
        shift, _, _ = phase_cross_correlation(
            *views,
            upsample_factor=50,
            normalization=None,  # pyright: ignore[reportArgumentType]  # the stubs miss it
        )
        found.append(np.asarray(shift) * factor)
    return np.stack(found)


if __name__ == "__main__":
    run_app(app)
