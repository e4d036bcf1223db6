"""What Weft costs beside its peers: `make bench`, or python -m benchmarks [LINE ...]."""
