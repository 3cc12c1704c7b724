"""What `benchmarks/subscribe.py` is made of."""
