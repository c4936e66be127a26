"""One module per family of image files; `packages.images` is the face of all of them."""
