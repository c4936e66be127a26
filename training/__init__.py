"""Simulation of training pairs, the training loop, and one recipe per model."""
