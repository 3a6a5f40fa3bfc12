"""Functions of each element for itself."""
