"""SFSRM: dense residual blocks that see the image and the edges in it."""
