"""Whether objects that people marked in real images are still there after restoration."""
