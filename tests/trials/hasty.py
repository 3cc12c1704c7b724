"""The real command line with time limits of seconds: RFC 5321's are minutes, and no trial waits for those.

`python -m tests.trials.hasty --site DIR tick`
"""

from newsletter.cli.main import main
from newsletter.delivery import session

SECONDS = 2.0

if __name__ == "__main__":
    session.TIME_LIMITS.update(dict.fromkeys(session.TIME_LIMITS, SECONDS))
    main()
