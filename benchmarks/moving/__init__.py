"""What `benchmarks/importing.py` runs in processes of its own."""
