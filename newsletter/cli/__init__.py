"""The command line: one module a noun.

At import these modules load typer and nothing else: what a command needs is imported inside it, so that
`paperround --help` and a usage error answer at once.
"""
