"""Running kernels: memory, one step, the loop over time, and what gets compiled."""
