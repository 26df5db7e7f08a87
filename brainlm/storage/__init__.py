"""Files on disk: downloads, archives, and the store of computed arrays."""
