"""What all rooms share: images, datasets, pixel grids, statistics, files, and their records."""

__version__ = "0.1.0"
