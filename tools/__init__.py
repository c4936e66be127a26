"""Measures the project: speed, accuracy and fingerprints; no part of what is installed."""
