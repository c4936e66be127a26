"""How training pairs are made: structures, optics, detector, and the dataset they end in."""
