"""Models of hardware that holds weights: plain values and formulas on arrays."""
