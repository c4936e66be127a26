"""What the options of a package buy."""
