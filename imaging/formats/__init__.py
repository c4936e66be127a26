"""One module per family of image files; `imaging.images` is the face of all of them."""
