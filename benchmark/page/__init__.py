"""One page of a finished run, its figures and its tables."""
