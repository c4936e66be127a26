"""The CARE ensemble: several probabilistic U-Nets, and how far they disagree."""
