"""What the editor is told by email: a queue runs low, a slot stays empty or fails, an issue is halted."""
