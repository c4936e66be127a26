"""The models, and all that makes, checks and runs a package."""

__version__ = "0.1.0"
