"""What the benchmarks of speed share: networks, peers, clocks, rates of the machine, the model of bytes, pages."""
