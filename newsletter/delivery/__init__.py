"""From an owed letter to a recorded outcome."""
