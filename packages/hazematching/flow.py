"""Flow matching along straight lines, and the solvers that follow a velocity from noise to image.

A sample x₁ of a posterior and noise x₀ ~ N(0, 1) are joined by x_t = (1 − t) x₀ + t x₁. The mean
velocity of the lines that cross at x_t, v(x_t, t) = E[x₁ − x₀ | x_t], carries noise at t = 0 to
samples at t = 1 (Lipman et al. 2022, https://arxiv.org/abs/2210.02747); a network learns it by
regression. Guidance: it sees the degraded image too, so the samples are of its posterior.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Velocity = Callable[[Tensor, int], Tensor]
"""Of a state, at the i-th of the times at which the solver looks."""


def path(noise: Tensor, end: Tensor, time: Tensor) -> Tensor:
    """Return the point x_t = (1 − t) x₀ + t x₁ of the line between noise and data.

    Parameters
    ----------
    noise, end
        x₀ and x₁, shape (batch, channels, y, x), or with z before y.
    time
        t, shape (batch,), from 0 to 1.

    Returns
    -------
    Tensor
        Of the same shape.
    """
    t = time.reshape(-1, *(1,) * (noise.ndim - 1))
    return (1 - t) * noise + t * end


def euler_times(steps: int) -> list[float]:
    """Return the times at which `euler` looks at the velocity, one per step."""
    return [i / steps for i in range(steps)]


def euler(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Follow a velocity from t = 0 to 1 with Euler's method: one call a step, first order.

    Parameters
    ----------
    velocity
        Of a state at the i-th of `euler_times`.
    noise
        x₀.
    steps
        Of equal length.

    Returns
    -------
    Tensor
        x₁.
    """
    x = noise
    for i in range(steps):
        x = x + velocity(x, i) / steps
    return x


def midpoint_times(steps: int) -> list[float]:
    """Return the times at which `midpoint` looks at the velocity, two per step."""
    return [i / (2 * steps) for i in range(2 * steps)]


def midpoint(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Follow a velocity from t = 0 to 1 with the midpoint method: two calls a step, second order.

    Unlike Heun's method it never looks at t = 1, where the velocity of a posterior that is narrow
    in some direction is steepest.

    Parameters
    ----------
    velocity
        Of a state at the i-th of `midpoint_times`.
    noise
        x₀.
    steps
        Of equal length.

    Returns
    -------
    Tensor
        x₁.
    """
    x = noise
    for i in range(steps):
        middle = torch.add(x, velocity(x, 2 * i), alpha=1 / (2 * steps))
        x = torch.add(x, velocity(middle, 2 * i + 1), alpha=1 / steps)
    return x


def embed_times(times: Tensor, size: int) -> Tensor:
    """Return sines and cosines of times at geometrically spaced frequencies from 1 to 1e-4.

    Parameters
    ----------
    times
        Shape (n,).
    size
        Of the embedding, even.

    Returns
    -------
    Tensor
        Shape (n, size).
    """
    half = size // 2
    frequencies = torch.exp(
        -math.log(10_000) * torch.arange(half, device=times.device, dtype=torch.float32) / half
    )
    phases = times[:, None] * frequencies
    return torch.cat([phases.cos(), phases.sin()], dim=1)


def refuse_steps(steps: int) -> None:
    """Make sure that a flow can be followed.

    Parameters
    ----------
    steps
        Of the solver.

    Raises
    ------
    ValueError
        Fewer than one.
    """
    if steps < 1:
        raise ValueError(f"{steps} steps lead nowhere: the flow needs at least 1")
