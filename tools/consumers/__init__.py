"""What programs other than ours make of a package: one script for each, outside the tests.

Each takes packages and an image of at least 700 x 512 pixels and prints a table; docs/consumers.md
tells how to run them and what they found.
"""
