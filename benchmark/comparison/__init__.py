"""What scores say: means, ranks, paired tests, agreement and calibration."""
