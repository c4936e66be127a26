"""The single checks that `packages.check` applies to a package."""
