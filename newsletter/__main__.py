"""`python -m newsletter` is the same as `paperround`."""

from newsletter.cli.main import main

if __name__ == "__main__":
    main()
