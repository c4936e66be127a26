"""Fluorescence put on a grid: points, lines and balls at the resolution of the target."""

from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter

from simulation.structures.grid import FloatArray, Grid

_LINE_STEP_UM = 0.02
"""Distance of the points that make a line: far below the resolution."""

_SUBPLANES = 4
"""A volume's planes lie so far apart that a ball is sampled on finer ones and averaged."""

_EDGE_UM = 0.02
"""Softness of the outline of a ball before it is seen at the target's resolution."""


def resolved(image: FloatArray, grid: Grid) -> NDArray[np.float32]:
    """Blur fluorescence of the grid's shape to the target's resolution; float32, not negative."""
    return gaussian_filter(image, grid.sigmas_px).astype(np.float32)


def add_points(
    image: FloatArray, grid: Grid, points_um: FloatArray, brightness: FloatArray
) -> None:
    """Add point sources, shared among the nearest voxels so that centroids are exact.

    Parameters
    ----------
    image
        Changed in place, of the grid's shape; to be `resolved` afterwards.
    grid
        Where it lies.
    points_um
        (n, axes), µm; those outside are left out.
    brightness
        (n,), relative brightness of each spot's peak when it lies on the centre of a voxel.
    """
    position = points_um / grid.steps_um - 0.5
    low = np.floor(position).astype(int)
    share = position - low
    scale = 1 / _peak_of_one_voxel(grid.sigmas_px)
    for corner in np.ndindex(*(2,) * len(grid.shape)):
        index = low + corner
        weight = np.prod(np.where(corner, share, 1 - share), axis=1) * brightness * scale
        inside = ((index >= 0) & (index < grid.shape)).all(1)
        np.add.at(image, tuple(index[inside].T), weight[inside])


def add_lines(
    image: FloatArray, grid: Grid, lines_um: list[FloatArray], brightness: list[float]
) -> None:
    """Add lines thinner than the resolution; all at once is faster.

    Parameters
    ----------
    image
        Changed in place, of the grid's shape; to be `resolved` afterwards.
    grid
        Where it lies.
    lines_um
        Corners (n, axes) of each line, µm.
    brightness
        Of each, relative, along its middle where it runs straight and in the plane.
    """
    if not lines_um:
        return
    points, weights = list[FloatArray](), list[FloatArray]()
    # a row of points is as bright as many of them as lie within one width: integral over peak
    width_um = grid.pixel_size_um / _peak_of_one_voxel(grid.sigmas_px[-1:])
    for line_um, peak in zip(lines_um, brightness, strict=True):
        lengths = np.linalg.norm(np.diff(line_um, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(lengths)])
        count = max(round(along[-1] / _LINE_STEP_UM), 1)
        step_um = along[-1] / count
        middles = (np.arange(count) + 0.5) * step_um
        points.append(np.stack([np.interp(middles, along, c) for c in line_um.T], 1))
        weights.append(np.full(count, peak * step_um / width_um))
    add_points(image, grid, np.concatenate(points), np.concatenate(weights))


def add_ball(
    image: FloatArray, grid: Grid, centre_um: FloatArray, radius_um: float, brightness: float
) -> None:
    """Add an evenly filled ball, or a disc in an image.

    Parameters
    ----------
    image
        Changed in place, of the grid's shape; to be `resolved` afterwards.
    grid
        Where it lies.
    centre_um
        (axes,), µm.
    radius_um
        Its radius, µm.
    brightness
        Its relative brightness.
    """
    window = list[slice]()
    squares = np.zeros(())
    for axis, centre in enumerate(centre_um):
        centres_um = grid.centres_um(axis)
        reach_um = radius_um + 4 * _EDGE_UM + grid.steps_um[axis]
        near = slice(*np.searchsorted(centres_um, [centre - reach_um, centre + reach_um]))
        window.append(near)
        away_um = centres_um[near] - centre
        if grid.is_volume and axis == 0:
            within = (np.arange(_SUBPLANES) + 0.5) / _SUBPLANES - 0.5
            away_um = (away_um[:, None] + within * grid.z_step_um).ravel()
        squares = squares[..., None] + away_um**2
    # a pixel is as full as its centre is deep, in units of its own size
    softness_um = max(_EDGE_UM, grid.pixel_size_um / 4)
    inside = 1 / (1 + np.exp((np.sqrt(squares) - radius_um) / softness_um))
    if grid.is_volume:
        inside = inside.reshape(-1, _SUBPLANES, *inside.shape[1:]).mean(1)
    image[tuple(window)] += brightness * inside


def fill_balls(image: FloatArray, grid: Grid, centres_um: FloatArray, radii_um: FloatArray) -> None:
    """Unite an image with evenly filled balls.

    Parameters
    ----------
    image
        Changed in place, of the grid's shape: how thick the union is at each pixel, µm; in a volume
        how full each voxel is, 0 to 1.
    grid
        Where it lies.
    centres_um
        (n, axes), µm.
    radii_um
        (n,), µm.
    """
    pixels = [grid.centres_um(axis) for axis in range(len(grid.shape))]
    columns = [along.reshape(-1, *[1] * after) for after, along in enumerate(pixels[::-1])][::-1]
    # a ball thinner than a pixel is as wide as one, and dimmer by as much
    widths_um = np.maximum(radii_um, grid.pixel_size_um / 2)
    reach_um = widths_um + grid.steps_um.max()
    boxes = [
        map(slice, np.searchsorted(along, x - reach_um), np.searchsorted(along, x + reach_um))
        for along, x in zip(pixels, centres_um.T, strict=True)
    ]
    shares = (radii_um / widths_um) ** 2
    for centre, width_um, share, *box in zip(centres_um, widths_um, shares, *boxes, strict=True):
        near = image[tuple(box)]
        if near.size == 0:
            continue
        away = [along[part] - x for along, part, x in zip(columns, box, centre, strict=True)]
        distance = np.asarray(reduce(np.hypot, away))
        if grid.is_volume:
            seen = share / (1 + np.exp((distance - width_um) / _EDGE_UM))
        else:
            seen = 2 * share * np.sqrt(np.clip(width_um**2 - distance**2, 0, None))
        np.maximum(near, seen, out=near)


def smooth_noise(grid: Grid, correlation_um: float, rng: np.random.Generator) -> FloatArray:
    """Draw a smooth periodic Gaussian field.

    Parameters
    ----------
    grid
        Where.
    correlation_um
        Standard deviation of the Gaussian that white noise is blurred with, µm.
    rng
        Source of randomness.

    Returns
    -------
    numpy.ndarray
        Of the grid's shape, of mean 0 and standard deviation 1; float32 for a volume.
    """
    passes = [
        np.exp(-2 * (np.pi * correlation_um * np.fft.fftfreq(count, step)) ** 2)
        for count, step in zip(grid.shape, grid.steps_um, strict=True)
    ]
    scale = np.sqrt(np.prod([np.mean(transfer**2) for transfer in passes]))
    passes[-1] = passes[-1][: grid.shape[-1] // 2 + 1]
    gain = passes[0]
    for transfer in passes[1:]:
        gain = gain[..., None] * transfer
    if not grid.is_volume:
        white = rng.standard_normal(grid.shape)
        return np.fft.irfft2(np.fft.rfft2(white) * gain, s=white.shape) / scale
    # volumes are large: single precision is enough for a texture
    white = rng.standard_normal(grid.shape, np.float32)
    gain = (gain / scale).astype(np.float32)
    return np.asarray(fft.irfftn(fft.rfftn(white) * gain, s=white.shape))


def perlin_noise(grid: Grid, coarsest_um: float, rng: np.random.Generator) -> FloatArray:
    """Draw a cloud: octaves of smooth noise, each half as coarse and half as strong as the last.

    Parameters
    ----------
    grid
        Where.
    coarsest_um
        Correlation of the first of four octaves, µm.
    rng
        Source of randomness.

    Returns
    -------
    numpy.ndarray
        Of the grid's shape, from 0 to 1.

    References
    ----------
    Perlin, An image synthesizer, SIGGRAPH 1985; its octaves, with Gaussian fields for lattices.
    """
    cloud = np.sum([smooth_noise(grid, coarsest_um / 2**n, rng) / 2**n for n in range(4)], axis=0)
    return (cloud - cloud.min()) / (cloud.max() - cloud.min())


def _peak_of_one_voxel(sigmas_px: FloatArray) -> float:
    """Return what a bright voxel keeps of its brightness when it is `resolved`."""
    probe = np.zeros([2 * int(np.ceil(4 * sigma)) + 3 for sigma in sigmas_px])
    middle = tuple(count // 2 for count in probe.shape)
    probe[middle] = 1
    return float(gaussian_filter(probe, sigmas_px)[middle])
