"""The links of a test letter say what they are."""

from collections.abc import Callable

import httpx
import pytest

from newsletter.delivery.copies import TEST_DELIVERY, preferences_url, unsubscribe_url
from subscribers.tokens import TokenSigner
from tests.web.conftest import Issue


@pytest.mark.parametrize("link", [unsubscribe_url, preferences_url])
def test_a_link_of_a_test_letter_is_no_dead_end(
    web: httpx.Client, issue: Issue, link: Callable[[str, TokenSigner, int], str]
) -> None:
    """Whoever follows it learns that it belongs to nobody; one that is damaged is like any other."""
    path = link("", issue.site.signer, TEST_DELIVERY)
    shown = web.get(path)
    assert shown.status_code == 200
    assert "This link came in a test letter." in shown.text
    assert web.post(path, data={"via": "page"}).status_code in (200, 404)
    damaged = path[:-2] + ("aa" if path[-2:] != "aa" else "bb")
    assert web.get(damaged).status_code == 404
