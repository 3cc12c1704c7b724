"""The pages that `paperround run` serves to readers."""
