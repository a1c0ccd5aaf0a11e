"""The operators on a CPU: kernels in numba, on arrays (channels, height, width, batch)."""
