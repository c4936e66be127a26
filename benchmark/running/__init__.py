"""Restore images with packages and controls, and score them, cell by cell."""
