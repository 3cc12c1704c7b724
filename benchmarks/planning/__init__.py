"""What `benchmarks/plan.py` runs in processes of their own."""
