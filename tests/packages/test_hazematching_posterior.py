"""The sampler against a posterior that is known: a blurred, noisy Gaussian signal.

x ~ N(0, C), y = A x + n, n ~ N(0, s²): the posterior of x is Gaussian too, with covariance
Σ = C − C Aᵀ (A C Aᵀ + s²)⁻¹ A C and mean m = C Aᵀ (A C Aᵀ + s²)⁻¹ y. The velocity of its flow is
v(x, t) = m + (tΣ − (1−t)) (t²Σ + (1−t)²)⁻¹ (x − t m).
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from packages.hazematching.flow import (
    Velocity,
    embed_times,
    euler,
    euler_times,
    midpoint,
    midpoint_times,
    path,
    refuse_steps,
)
from packages.posterior import PAIRS, Calibration, NoiseBank, summarise

SIZE = 16  # pixels of the signal, which are the channels of a noise field
SIDE = 16  # of a field: each of its places draws the signal anew

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Posterior:
    mean: Array
    covariance: Array

    def velocity(self, times: list[float]) -> Velocity:
        def velocity(state: Tensor, i: int) -> Tensor:
            t, identity = times[i], np.eye(SIZE)
            gain = (t * self.covariance - (1 - t) * identity) @ np.linalg.inv(
                t**2 * self.covariance + (1 - t) ** 2 * identity
            )
            mean = torch.from_numpy(self.mean).to(state)[:, None, None]
            centred = state - t * mean
            return mean + torch.einsum("ij,bjyx->biyx", torch.from_numpy(gain).to(state), centred)

        return velocity


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    distance = np.abs(np.subtract.outer(np.arange(SIZE), np.arange(SIZE)))
    prior = np.exp(-(distance**2) / (2 * 1.5**2)) + 0.05 * np.eye(SIZE)
    blur = np.exp(-(distance**2) / (2 * 2.0**2))
    blur /= blur.sum(axis=1, keepdims=True)
    gain = prior @ blur.T @ np.linalg.inv(blur @ prior @ blur.T + 0.2**2 * np.eye(SIZE))
    recorded = np.random.default_rng(0).normal(size=SIZE)
    return Posterior(gain @ recorded, prior - gain @ blur @ prior)


def reached(posterior: Posterior, solver: str, steps: int) -> Array:
    """Standard deviations that a solver reaches exactly: it is affine in the noise."""
    basis = torch.eye(SIZE, dtype=torch.float64)[:, :, None, None]
    origin = torch.zeros_like(basis[:1])
    if solver == "euler":
        velocity = posterior.velocity(euler_times(steps))
        moved = euler(velocity, basis, steps) - euler(velocity, origin, steps)
    else:
        velocity = posterior.velocity(midpoint_times(steps))
        moved = midpoint(velocity, basis, steps) - midpoint(velocity, origin, steps)
    return moved[..., 0, 0].square().sum(dim=0).sqrt().numpy()


def test_mean_and_std_of_samples_are_those_of_the_posterior(posterior: Posterior) -> None:
    bank = NoiseBank(SIZE, SIDE)
    chosen = torch.zeros(1, 1, 1, dtype=torch.int64)
    velocity = posterior.velocity(midpoint_times(2))
    # The pixels of the signal become a batch, as the summary is of images of one channel.
    samples = [midpoint(velocity, bank(k, chosen), 2).transpose(0, 1) for k in range(2 * PAIRS)]
    mean, std = summarise(samples, [], Calibration())[:, :2].double().unbind(dim=1)

    # Antithetic pairs leave the mean of an affine flow without any error.
    expected = posterior.mean[:, None, None]
    assert np.abs(mean.numpy() - expected).max() < 1e-4
    # Variance of n independent draws: relative error sqrt(2 / n); 4 standard errors of it.
    variance = (std**2).mean(dim=(1, 2)).numpy()
    monte_carlo = 4 * np.sqrt(2 / (PAIRS * SIDE**2))
    assert np.abs(variance / reached(posterior, "midpoint", 2) ** 2 - 1).max() < monte_carlo
    assert np.abs(variance / np.diag(posterior.covariance) - 1).max() < monte_carlo + 2 * 0.06


def test_two_midpoint_steps_are_no_worse_than_nineteen_of_euler(posterior: Posterior) -> None:
    truth = np.sqrt(np.diag(posterior.covariance))
    four_calls = np.abs(reached(posterior, "midpoint", 2) / truth - 1).max()
    nineteen_calls = np.abs(reached(posterior, "euler", 19) / truth - 1).max()
    assert four_calls <= nineteen_calls
    assert four_calls < 0.06


@pytest.mark.parametrize(("solver", "steps"), [("euler", 2000), ("midpoint", 50)])
def test_solvers_converge_to_the_posterior(posterior: Posterior, solver: str, steps: int) -> None:
    truth = np.sqrt(np.diag(posterior.covariance))
    np.testing.assert_allclose(reached(posterior, solver, steps), truth, rtol=1e-3)


def test_calls_of_the_solvers() -> None:
    calls: list[int] = []

    def velocity(state: Tensor, i: int) -> Tensor:
        calls.append(i)
        return torch.ones_like(state)

    start = torch.zeros(1, 1, 2, 2)
    torch.testing.assert_close(euler(velocity, start, 19), start + 1)
    assert calls == list(range(19))
    calls.clear()
    torch.testing.assert_close(midpoint(velocity, start, 2), start + 1)
    assert calls == list(range(4))


def test_times_of_the_solvers() -> None:
    assert euler_times(19) == pytest.approx(np.linspace(0, 1, 20)[:-1].tolist())
    assert midpoint_times(2) == [0, 0.25, 0.5, 0.75]


def test_the_path_is_a_straight_line() -> None:
    noise, end = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    torch.testing.assert_close(path(noise, end, torch.zeros(3)), noise)
    torch.testing.assert_close(path(noise, end, torch.ones(3)), end)
    early, late = (path(noise, end, torch.full((3,), t)) for t in (0.3, 0.7))
    torch.testing.assert_close((late - early) / 0.4, end - noise, atol=1e-5, rtol=1e-4)


def test_embedded_times_are_cosines_and_sines() -> None:
    embedded = embed_times(torch.tensor([0.0, 0.5]), 4)
    expected = [[1, 1, 0, 0], [np.cos(0.5), np.cos(0.005), np.sin(0.5), np.sin(0.005)]]
    torch.testing.assert_close(embedded, torch.tensor(expected, dtype=torch.float32))


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        refuse_steps(0)
