import pytest

from packages.prime_factors import prime_factors


@pytest.mark.parametrize(
    ("number", "factors"), [(1, []), (2, [2]), (4, [2, 2]), (12, [2, 2, 3]), (5, [5])]
)
def test_prime_factors(number: int, factors: list[int]) -> None:
    assert prime_factors(number) == factors
