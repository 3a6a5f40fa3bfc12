"""The engine: memory, one time step, the loop over time, and compilation."""
