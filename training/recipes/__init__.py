"""One module per model; each holds a `RECIPE`."""
