"""Our addresses, made and read."""

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.feedback.route import Route, RouteVerb, address_for, read_route
from subscribers.tokens import Purpose, TokenSigner

OURS = "advice@news.example"
BOUNCES = "bounces@news.example"

LOCALS = st.sampled_from(["advice", "Ann.Lee", "news+letters", "a_b-c", "o'hara", "ünï"])
DOMAINS = st.sampled_from(["news.example", "bücher.example", "xn--bcher-kva.example", "localhost"])
SLUGS = st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True)
TOKENS = st.integers(0, 2**48 - 1).map(lambda number: TokenSigner(b"key").sign(Purpose.LEAVE, number))
VERBS = st.sampled_from([verb for verb in RouteVerb if verb])

WAYS = {
    "as it is": lambda address: address,
    "shouted": str.upper,
    "capitalised": str.title,
    "in angle brackets": lambda address: f"<{address}>",
    "with a name": lambda address: f'"Advice, weekly" <{address}>',
    "with spaces": lambda address: f"  {address} ",
    "with a root": lambda address: f"{address}.",
    "local part in quotes": lambda address: '"{}"@{}'.format(*address.rsplit("@", 1)),
    "percent-encoded": lambda address: "{}@{}".format(
        quote(address.rsplit("@", 1)[0]), address.rsplit("@", 1)[1]
    ),
}
"""What mail systems and programs make of an address."""


def read(*recipients: str, inbound: str = OURS, bounces: str = BOUNCES) -> Route | None:
    return read_route(recipients, inbound_address=inbound, bounce_address=bounces)


@given(LOCALS, DOMAINS, VERBS, st.one_of(st.just(""), SLUGS, TOKENS), st.sampled_from(sorted(WAYS)))
@example("news+letters", "news.example", RouteVerb.JOIN, "career-advice", "percent-encoded")
def test_what_is_made_is_read(local: str, domain: str, verb: RouteVerb, argument: str, way: str) -> None:
    """An address we made says its verb and argument again, whatever was done to it on the way."""
    own = f"{local}@{domain}"
    address = WAYS[way](address_for(own, verb, argument))
    assert read(address, inbound=own) == Route(verb, argument)
    assert read(WAYS[way](own), inbound=own) == Route(RouteVerb.PLAIN)


@given(st.lists(st.one_of(st.text(max_size=40), st.emails()), max_size=4))
@example(["advice@evil.example"])
@example(["xadvice@news.example"])
@example(["advice-join@news.example"])
@example(["advice+join.x@news.example.evil.example"])
@example(["advice+jion.x@news.example"])
@example(["advice+@news.example"])
@example(["advice+join.@news.example"])
@example(["advice+join.a b@news.example"])
@example(["advice@news.example <x@evil.example>"])
@example(["@news.example"])
@example(["advice@"])
@example(["a" * 5000 + "@news.example"])
@example(["advice%2@news.example"])
def test_nothing_foreign_is_ours(recipients: list[str]) -> None:
    """Other addresses, other verbs and any other text are not ours, and raise nothing."""
    assert read(*recipients) is None


def test_synonyms() -> None:
    """People write subscribe and unsubscribe."""
    assert read("advice+subscribe.letters@news.example") == Route(RouteVerb.JOIN, "letters")
    assert read("advice+UNSUBSCRIBE@news.example") == Route(RouteVerb.LEAVE)


def test_an_address_with_a_verb_counts_before_the_plain_one() -> None:
    """Delivered-To may lack what stands behind the plus; of those with a verb the most trusted counts."""
    assert read("advice@news.example", "x@y.example", "advice+help@news.example") == Route(RouteVerb.HELP)
    assert read("advice+leave.a@news.example", "advice+join.b@news.example") == Route(RouteVerb.LEAVE, "a")
    assert read("x@y.example", "ADVICE@news.example") == Route(RouteVerb.PLAIN)


def test_bounces_come_to_their_own_address() -> None:
    """The path of our letters is read; at the address for bounces nothing is obeyed but those."""
    assert read("bounces+bounce.abc@news.example") == Route(RouteVerb.BOUNCE, "abc")
    assert read("bounces@news.example") == Route(RouteVerb.BOUNCE)
    assert read("bounces+join.letters@news.example") is None
    assert read("advice@news.example", bounces=OURS) == Route(RouteVerb.PLAIN)
    assert read("advice+bounce.abc@news.example", bounces=OURS) == Route(RouteVerb.BOUNCE, "abc")


@pytest.mark.parametrize(
    ("verb", "argument"), [(RouteVerb.PLAIN, "x"), (RouteVerb.JOIN, "a b"), (RouteVerb.JOIN, "-")]
)
def test_no_address_is_made_that_could_not_be_read(verb: RouteVerb, argument: str) -> None:
    """An argument that an address cannot hold is a mistake of ours."""
    with pytest.raises(ValueError, match="no address of ours"):
        address_for(OURS, verb, argument)
