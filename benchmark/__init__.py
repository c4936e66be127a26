"""Runs packages over datasets, scores them, and writes one page."""
