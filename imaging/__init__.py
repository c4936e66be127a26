"""What all rooms share: images, datasets, pixel grids, statistics, files, and their records."""
