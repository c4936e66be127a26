"""DFCAN: a convolutional network whose channels are weighted by their power spectra."""
