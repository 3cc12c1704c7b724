"""How often a dear property is tried: one whose every example fills a database, or renders a letter.

`make test` draws a few examples, others each time; `make trials` runs these tests too, and draws many.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

Test = TypeVar("Test", bound=Callable[..., Any])


def tried(often: int, *, quickly: int) -> Callable[[Test], Test]:
    """So many examples in `make trials`, and so many in `make test`.

    The test's database is that of all its examples, which each begin by emptying it.
    """
    is_thorough = settings.get_current_profile_name() == "thorough"
    how = settings(
        max_examples=often if is_thorough else quickly,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    return lambda test: pytest.mark.thorough(how(test))
