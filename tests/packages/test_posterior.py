import pytest
import torch
from torch import Tensor

from packages.posterior import (
    KNOTS,
    PAIRS,
    Calibration,
    FieldChoice,
    NoiseBank,
    refuse_samples,
    summarise,
)

IMAGE = torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))


def test_noise_is_the_same_for_the_same_place_whatever_the_tile() -> None:
    bank, choose = NoiseBank(3, 4), FieldChoice(16)
    whole = bank(4, choose(IMAGE))
    tile = bank(4, choose(IMAGE[..., 48:160, 16:]))
    assert torch.equal(whole[..., 12:40, 4:], tile)


def test_every_field_is_chosen_about_as_often_as_any_other() -> None:
    counts = torch.bincount(FieldChoice(8)(IMAGE).flatten(), minlength=PAIRS)
    # 1024 cells: 32 of each on average; 5 standard deviations of a binomial.
    assert (counts - 32).abs().max() < 5 * 32**0.5


@pytest.mark.parametrize(("gain", "offset"), [(1.1, 0.0), (0.9, 0.05), (1.0, -0.2)])
def test_contrast_and_offset_choose_no_other_field(gain: float, offset: float) -> None:
    choose = FieldChoice(16)
    assert torch.equal(choose(gain * IMAGE + offset), choose(IMAGE))


@pytest.mark.parametrize("level", [0.0, 0.1, 1.0, 7.3])
def test_rounding_chooses_nothing_where_all_pixels_are_equal(level: float) -> None:
    assert not FieldChoice(16)(torch.full((1, 1, 32, 64), level)).any()


def test_a_field_lies_in_the_cell_that_chose_it() -> None:
    bank = NoiseBank(2, 3)
    noise = bank(6, torch.tensor([[[4, 30]]]))
    assert torch.equal(noise[0, :, :, :3], bank.fields[7])
    assert torch.equal(noise[0, :, :, 3:], bank.fields[1])  # 30 + 3, of 32


def test_noise_is_standard_normal_and_comes_in_mirrored_pairs() -> None:
    bank = NoiseBank(4, 32)
    fields = bank.fields
    assert fields.shape == (PAIRS, 4, 32, 32)
    assert fields.mean().item() == pytest.approx(0, abs=0.01)
    assert fields.std().item() == pytest.approx(1, abs=0.01)
    chosen = torch.tensor([[[3, 9]]])
    assert torch.equal(bank(6, chosen), -bank(7, chosen))
    assert not torch.equal(bank(6, chosen), bank(8, chosen))


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


def test_a_bank_takes_the_corner_of_a_larger_one() -> None:
    larger, bank = NoiseBank(3, 16, seed=5), NoiseBank(3, 8)
    bank.load_state_dict(larger.state_dict())
    assert torch.equal(bank.fields, larger.fields[..., :8, :8])
    assert larger.fields.shape[-1] == 16
