"""Template tags are replaced or reported, never carried out; code keeps its own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content.shortcodes import expand

TOKENS = ["{{", "}}", "{%", "%}", "{{<", ">}}", "[caption]", "[/caption]", "[code]", "[/code]", "`", "```"]
TOKENS += ["{% raw %}", "{% endraw %}", "{::", "{:/}", "<pre>", "\n", "\n\n", "    ", "> ", "word", " x "]


@pytest.mark.parametrize(
    ("text", "expected", "doubtful"),
    [
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}", False),
        ("a{% comment %}b{% endcomment %}c", "ac", False),
        ("{{ site.baseurl }}/a", "/a", False),
        ("{{ site.url }}/a", "https://b.example/a", False),
        ('{{ "a" | relative_url }}', "/a", False),
        ("{% post_url 2016-05-13-name %}", "/2016/05/13/name.html", True),
        ("{% include a.html %}", "{% include a.html %}", True),
        ("{{ 7*7 }}", "{{ 7*7 }}", True),
        ("`{{ x }}`", "`{{ x }}`", False),
        ("```\n{{ x }}\n```", "```\n{{ x }}\n```", False),
        ("    {{ x }}", "    {{ x }}", False),
        ("[python](/a)", "[python](/a)", False),
        ("[gallery ids=1]", "", True),
    ],
)
def test_tags_are_replaced_or_reported(text: str, expected: str, doubtful: bool) -> None:
    """What a tag stands for is known and written, or it stays and its editor is told."""
    written, doubts = expand(text, base_url="https://b.example/p/")
    assert (written, [doubt.words for doubt in doubts]) == (expected, [text] if doubtful else [])


@given(st.lists(st.sampled_from(TOKENS), max_size=30).map("".join) | st.text())
@settings(deadline=None)
def test_expanding_is_total(text: str) -> None:
    """Any text is expanded, and each doubt quotes the text."""
    assert all(doubt.words in text for doubt in expand(text)[1])
