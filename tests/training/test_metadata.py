import numpy as np
import pytest
import torch

from packages.care.model import UNet
from training.data import Batch, Pair
from training.metadata import cut_example, mean_absolute_errors


def test_the_example_is_cut_where_the_truth_is_brightest() -> None:
    truth = np.zeros((600, 700), np.float32)
    truth[300:500, 400:600] = 1
    pair = Pair("a", truth + 5, truth, (0.0, 0.0), (1.0, 1.0))
    empty = Pair("empty", truth, np.zeros_like(truth), (0.0, 0.0), (1.0, 1.0))
    example = cut_example([empty, pair, empty])
    assert example.target.shape == (256, 256)
    assert example.target.sum() == 200 * 200
    np.testing.assert_array_equal(example.input, example.target + 5)


def test_small_images_are_examples_as_they_are() -> None:
    truth = np.ones((20, 30), np.float32)
    example = cut_example([Pair("a", truth, truth, (0.0, 0.0), (1.0, 1.0))])
    assert example.target.shape == (20, 30)


def test_errors_before_and_after_restoration() -> None:
    network = torch.nn.Conv2d(1, 1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 3)
    fixed = Batch(torch.ones(2, 1, 4, 4), torch.full((2, 1, 4, 4), 2.5))
    reached = mean_absolute_errors(network, fixed)
    assert reached == pytest.approx({"error_restored": 0.5, "error_input": 1.5})


def test_an_input_with_a_finer_truth_is_interpolated_before_it_is_compared() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    finer = torch.nn.functional.interpolate(ramp, scale_factor=2.0, mode="bilinear")
    errors = mean_absolute_errors(UNet(filters=4, factor=2), Batch(ramp, finer))
    assert errors["error_input"] == 0
