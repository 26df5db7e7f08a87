"""Result bundles and their report."""
