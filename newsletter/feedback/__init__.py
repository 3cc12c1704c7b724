"""What comes back by mail: read, understood, and brought to whom it concerns."""
