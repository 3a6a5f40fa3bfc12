"""What nengo_dl is for, shown on scikit-learn's handwritten digits."""
