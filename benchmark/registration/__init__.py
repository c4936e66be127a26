"""Datasets out of recordings: targets brought onto inputs, repeats out of stacks."""
