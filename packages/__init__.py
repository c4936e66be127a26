"""The models, and all that makes, checks and runs a package."""
