"""From a Markdown file to a tree of prose and conversations. Pure, except for the queue."""
