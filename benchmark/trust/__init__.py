"""Tests of what may be trusted: what packages make of phantoms whose truth is exact."""
