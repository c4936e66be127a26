import pytest
import torch
from torch import Tensor

from packages.posterior import KNOTS, PAIRS, Calibration, NoiseBank, refuse_samples, summarise


def test_noise_is_the_same_for_the_same_place_whatever_the_tile() -> None:
    bank = NoiseBank(3, 8)
    whole = bank(4, torch.empty(1, 1, 32, 48))
    assert torch.equal(whole[..., 8:24, 16:40], bank(4, torch.empty(1, 1, 16, 24)))


def test_noise_is_standard_normal_and_comes_in_mirrored_pairs() -> None:
    bank = NoiseBank(4, 32)
    fields = bank.fields
    assert fields.shape == (PAIRS, 4, 32, 32)
    assert fields.mean().item() == pytest.approx(0, abs=0.01)
    assert fields.std().item() == pytest.approx(1, abs=0.01)
    like = torch.empty(2, 1, 32, 32)
    assert torch.equal(bank(6, like), -bank(7, like))
    assert not torch.equal(bank(6, like), bank(8, like))


def test_two_banks_of_one_seed_are_equal() -> None:
    assert torch.equal(NoiseBank(2, 4, seed=5).fields, NoiseBank(2, 4, seed=5).fields)
    assert not torch.equal(NoiseBank(2, 4, seed=5).fields, NoiseBank(2, 4, seed=6).fields)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (0, "standard deviation"),
        (1, "standard deviation"),
        (7, "antithetic"),
        (2 * PAIRS + 2, "holds 64"),
    ],
)
def test_impossible_numbers_of_samples_are_refused(samples: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        refuse_samples(samples)


def test_calibration_is_the_identity_until_it_is_fitted() -> None:
    std = torch.linspace(0, 3, 50)
    torch.testing.assert_close(Calibration()(std), std)


def test_calibration_is_linear_between_knots_and_proportional_beyond() -> None:
    calibration = Calibration()
    knots = torch.arange(1.0, KNOTS + 1)
    calibration.load_state_dict({"knots": knots, "values": 2 * knots + 1})
    given = calibration(torch.tensor([0.0, 1.0, 2.5, 33.0, 66.0]))
    torch.testing.assert_close(given, torch.tensor([3.0, 3.0, 6.0, 67.0, 134.0]))


def sampled(samples: list[Tensor], variances: list[Tensor]) -> tuple[float, float]:
    given = summarise(samples, variances, Calibration())
    return float(given[:, 0].mean()), float((given[:, 1] ** 2).mean())


def test_summary_of_a_gaussian_in_pairs_has_its_mean_and_variance() -> None:
    # Linear in the noise: the mean of the pairs is exact and adds no error of its own.
    noise = [
        torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(k)) for k in (0, 1)
    ]
    draws = [0.5 + 0.2 * sign * z for z in noise for sign in (1, -1)]
    mean, variance = sampled(draws, [])
    assert mean == pytest.approx(0.5, abs=1e-6)
    assert variance == pytest.approx(0.04, rel=0.02)


def test_summary_of_what_the_sign_does_not_change_states_the_error_of_its_mean() -> None:
    # Even in the noise: both of a pair are equal, and P pairs err by Var/P more.
    noise = [
        torch.randn(1, 1, 300, 300, generator=torch.Generator().manual_seed(k)) for k in range(4)
    ]
    draws = [0.2 * z**2 for z in noise for _ in (1, -1)]
    _, variance = sampled(draws, [])
    assert variance == pytest.approx(0.04 * 2 * (1 + 1 / 4), rel=0.03)


def test_summary_adds_what_the_samples_leave_uncertain() -> None:
    zero = torch.zeros(1, 1, 4, 4)
    _, variance = sampled([zero, zero], [zero + 0.01, zero + 0.03])
    assert variance == pytest.approx(0.02)


def test_summary_shows_the_first_sample() -> None:
    first, second = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    given = summarise([first, second], [], Calibration())
    assert torch.equal(given[:, 2:], first)
