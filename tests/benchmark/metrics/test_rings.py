import numpy as np
import pytest

from benchmark.metrics.rings import half_spectrum, rings


@pytest.mark.parametrize("shape", [(32, 32), (33, 40), (40, 33), (31, 31)])
def test_sums_are_those_of_the_full_transform(shape: tuple[int, int]):
    image = np.random.default_rng(0).random(shape)
    full = np.abs(np.fft.fft2(image - image.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))
    ring = np.rint(frequency * min(shape)).astype(int)
    of_shape = rings(shape)
    for i in range(len(of_shape.frequency)):
        assert of_shape.count[i] == np.sum(ring == i + 1)
    sums = of_shape.sum(np.abs(half_spectrum(image, 0.0)) ** 2)
    expected = [full[ring == i + 1].sum() for i in range(len(sums))]
    np.testing.assert_allclose(sums, expected, rtol=1e-9)


def test_the_matrix_sums_as_the_sum_does():
    of_shape = rings((16, 16))
    values = np.random.default_rng(0).random((16, 9))
    expected = of_shape.sum(values)
    np.testing.assert_allclose(values.ravel() @ of_shape.matrix(), expected, rtol=1e-6)


def test_a_wave_lies_in_the_ring_of_its_frequency():
    y, x = np.mgrid[:64, :64] / 64
    wave = np.cos(2 * np.pi * (3 * y + 4 * x))
    power = rings((64, 64)).sum(np.abs(half_spectrum(wave, 0.0)) ** 2)
    assert np.argmax(power) == 5 - 1
    assert power[4] == pytest.approx(power.sum())


def test_the_taper_removes_the_cross_of_the_borders():
    ramp = np.add.outer(np.arange(64.0), np.arange(64.0))
    plain, faded = (np.abs(half_spectrum(ramp, taper))[0, 16:].sum() for taper in (0.0, 0.25))
    assert faded < 0.05 * plain
