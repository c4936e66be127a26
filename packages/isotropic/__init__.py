"""Isotropic restoration: the room."""
