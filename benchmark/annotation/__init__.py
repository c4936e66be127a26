"""What people marked in other programs, brought into datasets."""
