"""Steps by which networks go onto a finer grid.

`python -m packages build` copies this file into the packages of the models that import it.
"""


def prime_factors(number: int) -> list[int]:
    """Return the prime factors of a positive number, the smallest first; of 1, none."""
    factors: list[int] = []
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return factors
