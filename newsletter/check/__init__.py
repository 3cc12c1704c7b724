"""What an editor should mend before a post goes out: a layer above rendering, used by the command line."""
