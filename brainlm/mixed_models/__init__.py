"""Mixed-effects regression of single trials."""
