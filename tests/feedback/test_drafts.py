"""Short letters in every language: what each says, as mail and to look at."""

import re
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.feedback.drafts import Draft, Drafter, Offered
from newsletter.feedback.writing import lay_out
from newsletter.render.headers import Mailbox
from newsletter.render.languages import Languages
from newsletter.render.note import COLUMNS, Note, compose
from newsletter.render.templates import template_environment
from newsletter.render.theme import DEFAULT_THEME
from newsletter.settings import Settings
from subscribers.commands import Verb, fold, is_refusal, parse_command
from subscribers.models import Frequency, RequestKind
from tests.conftest import GIVEN
from tests.node_tools import EACH_ONCE, axe_violations
from tests.render.test_accessibility import NOT_FOR_MAIL

LANGUAGES = Languages(None).all
TAGS = sorted(LANGUAGES)
VOCABULARIES = {tag: language.commands for tag, language in LANGUAGES.items()}
SETTINGS = Settings.model_validate({"site": GIVEN})
ENVIRONMENT = template_environment(None)
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = date(2026, 3, 4)

SITE = "Test letters"
ADDRESS = "maria.lindqvist@example.org"
TITLES = ("Career advice", "Ask a builder", "Lettres de Genève")
STREAMS = (
    Offered(TITLES[0], "news+join.career-advice@example.org", DAY),
    Offered(TITLES[1], "news+join.ask-a-builder@example.org"),
    Offered(
        TITLES[2], "news+join.a-category-with-a-name-as-long-as-they-come-42@newsletters.example.org", DAY
    ),
)
CONFIRM = "https://news.example.org/confirm/c1-mnxw4zrrgeztgnbvgy3tqojqmfrggzdfmztwq2lk"
PREFERENCES = "https://news.example.org/preferences/r1-mnxw4zrrgeztgnbvgy3tqojqmfrggzdfmztwq2lk"


def confirmations(
    tag: str,
    *,
    site: str = SITE,
    address: str = ADDRESS,
    titles: tuple[str, ...] = TITLES,
    is_answerable: bool = True,
) -> dict[str, Draft]:
    """Each kind of confirmation in a language, by the kind."""
    drafter = Drafter(LANGUAGES[tag], site=site)
    return {
        f"confirm {kind}": drafter.confirmation(
            kind,
            address=address,
            titles=titles,
            url=CONFIRM,
            days=7,
            frequency=Frequency.WEEKLY if kind in (RequestKind.JOIN, RequestKind.FREQUENCY) else None,
            weeks=4 if kind is RequestKind.PAUSE else None,
            is_answerable=is_answerable,
        )
        for kind in RequestKind
    }


def answers(
    tag: str,
    *,
    site: str = SITE,
    address: str = ADDRESS,
    titles: tuple[str, ...] = TITLES,
    streams: tuple[Offered, ...] = STREAMS,
) -> dict[str, Draft]:
    """Every other letter in a language."""
    drafter = Drafter(LANGUAGES[tag], site=site)

    def changed(kind: RequestKind) -> Draft:
        return drafter.changed(kind, PREFERENCES, frequency=Frequency.MONTHLY, until=DAY)

    held = [(title, DAY if number == 1 else None) for number, title in enumerate(titles)]
    return {
        "joined": drafter.joined(titles, PREFERENCES, DAY),
        "joined, no day": drafter.joined(titles[:1], PREFERENCES, None),
        "left": drafter.left(titles, streams[-1].join),
        "left_all": drafter.left_all(),
        "changed frequency": changed(RequestKind.FREQUENCY),
        "changed pause": changed(RequestKind.PAUSE),
        "changed resume": changed(RequestKind.RESUME),
        "changed address": changed(RequestKind.ADDRESS),
        "known": drafter.known(titles, address, PREFERENCES),
        "stranger": drafter.stranger(address),
        "expired": drafter.expired(),
        "list": drafter.listed(streams),
        "list, none": drafter.listed([]),
        "unknown": drafter.listed(streams, is_unknown=True),
        "mine": drafter.mine(address, held, PREFERENCES, Frequency.DAILY),
        "help": drafter.help("career-advice"),
        "address_old": drafter.address_old(),
        "probe": drafter.probe(address, PREFERENCES),
    }


def drafts(tag: str) -> dict[str, Draft]:
    """Every letter in a language, by a name."""
    return confirmations(tag) | answers(tag)


def text_of(draft: Draft) -> str:
    return lay_out(draft, SETTINGS.site, DEFAULT_THEME, ENVIRONMENT)[0]


def html_of(draft: Draft) -> str:
    return lay_out(draft, SETTINGS.site, DEFAULT_THEME, ENVIRONMENT)[1]


def composed(draft: Draft) -> bytes:
    """A draft as the message that goes out."""
    text, html = lay_out(draft, SETTINGS.site, DEFAULT_THEME, ENVIRONMENT)
    note = Note(
        sender=SETTINGS.sender,
        recipient=Mailbox("", ADDRESS),
        subject=draft.subject,
        date=NOW,
        message_id="confirmation-1@example.org",
        text=text,
        html=html,
    )
    return compose(note)


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def hrefs(html: str) -> set[str]:
    return set(re.findall(r'href="([^"]*)"', html))


def assert_sound(content: bytes) -> EmailMessage:
    """No header gets out of its field, no line is too long, nothing needs a relay to know more than ASCII."""
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    bare = content.replace(b"\r\n", b"")
    assert not {*b"\r\n"} & {*bare}
    message = parsed(content)
    assert message.keys() == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type")
    ]
    assert not [part.defects for part in message.walk() if part.defects]
    return message


# As mail.


@pytest.mark.parametrize("tag", TAGS)
def test_every_letter_is_sound_mail(tag: str) -> None:
    """In every language each composes, says its subject whole, and has the same links in text and in HTML."""
    for name, draft in drafts(tag).items():
        message = assert_sound(composed(draft))
        assert message["Subject"].split() == draft.subject.split(), name
        text, html = [
            str(part.get_content()) for part in message.iter_parts() if isinstance(part, EmailMessage)
        ]
        assert {block.url for block in draft.blocks if block.url} <= hrefs(html)
        assert all(block.url in text for block in draft.blocks)
        assert f'lang="{tag}" dir="{LANGUAGES[tag].direction}"' in html
        assert not {"{", "}"} & set(text)


HOSTILE = st.text(st.characters(codec="utf-8"), max_size=200) | st.text(
    st.sampled_from("a\0\r\n\t.=<>&\"'{}\x85\u2028\u202eא🙂 "), max_size=200
)


@given(st.sampled_from(TAGS), HOSTILE, HOSTILE, HOSTILE, st.data())
def test_whatever_is_in_it_is_sound_mail(
    tag: str, site: str, address: str, title: str, data: st.DataObject
) -> None:
    """A name of a category, of a site, or what somebody asked for: it stays in its place."""
    held = (title, *TITLES)
    hostile = confirmations(tag, site=site, address=address, titles=held) | answers(
        tag, site=site, address=address, titles=held
    )
    name = data.draw(st.sampled_from(sorted(hostile)))
    message = assert_sound(composed(hostile[name]))
    html = str(message.get_body(("html",)).get_content())  # type: ignore[union-attr]
    assert hrefs(html) == hrefs(html_of(drafts(tag)[name]))


@pytest.mark.parametrize("tag", TAGS)
def test_plain_text_is_laid_out_as_mail_is(tag: str) -> None:
    """72 columns but for what is to be copied whole, one blank line between blocks, lists set in."""
    for name, draft in drafts(tag).items():
        text = text_of(draft)
        body, _, signature = text.partition("\n-- \n")
        lines = text.split("\n")
        assert [line for line in lines if len(line) > COLUMNS and "://" not in line and "@" not in line] == []
        assert "\n\n\n" not in text, name
        assert body.strip("\n") == body.removesuffix("\n"), name
        assert signature == f"{SITE}\n{GIVEN['postal_address']}\n"
        for block in draft.blocks:
            assert " ".join(block.text.split()) in " ".join(body.split()), name
            if block.kind == "item":
                assert re.search(rf"^- {re.escape(block.text.split()[0])}", body, re.MULTILINE)
    # The list of commands is the letter's third block.
    commands = text_of(drafts(tag)["help"]).split("\n\n")[2].split("\n")
    assert len([line for line in commands if line.startswith("- ")]) == 7
    assert all(re.match(r"(- |  )\S", line) for line in commands)


@pytest.mark.parametrize("tag", TAGS)
def test_addresses_to_write_to_are_not_broken(tag: str) -> None:
    """However long: half an address is none, and somebody is to copy it."""
    assert all(stream.join in text_of(drafts(tag)["list"]) for stream in STREAMS)
    assert STREAMS[-1].join in text_of(drafts(tag)["left"])


@pytest.mark.parametrize("tag", TAGS)
def test_names_are_kept_apart_from_the_words_around_them(tag: str) -> None:
    """Each category by itself, in the title too: names in another direction do not change places."""
    for draft in (confirmations(tag)["confirm join"], answers(tag)["left"]):
        for html in (draft.title, draft.blocks[1].html):
            assert all(f"<bdi>{title}</bdi>" in html for title in TITLES)


@pytest.mark.parametrize("tag", TAGS)
def test_an_address_to_write_to_begins_a_mail(tag: str) -> None:
    """One tap on a phone, and it is to the right place."""
    html = html_of(drafts(tag)["list"])
    assert {f"mailto:{stream.join}" for stream in STREAMS} <= hrefs(html)


# What they say.


@pytest.mark.parametrize("tag", TAGS)
def test_a_confirmation_has_no_link_but_the_one_that_confirms(tag: str) -> None:
    """No marketing, and nothing else to press by mistake: in HTML or in text, or to load."""
    for name, draft in confirmations(tag).items():
        text, html = lay_out(draft, SETTINGS.site, DEFAULT_THEME, ENVIRONMENT)
        assert hrefs(html) == {CONFIRM}, name
        assert re.findall(r"https?://\S+", text) == [CONFIRM], name
        assert not re.search(r"<img|background(-image)?:\s*url|src=", html)
        assert [block.url for block in draft.blocks if block.kind == "button"] == [CONFIRM]


@pytest.mark.parametrize("tag", TAGS)
def test_a_confirmation_speaks_of_answers_only_where_mail_comes_in(tag: str) -> None:
    """One sentence more, and no other difference."""
    for name, with_it in confirmations(tag).items():
        without = confirmations(tag, is_answerable=False)[name]
        (more,) = set(with_it.blocks) - set(without.blocks)
        assert more.text == LANGUAGES[tag].say("letters.confirm.or_answer")


@pytest.mark.parametrize("tag", TAGS)
def test_a_bare_reply_to_a_confirmation_says_yes(tag: str) -> None:
    """As the letter promises: the words of its own subject behind `Re:` are nobody's refusal."""
    for name, draft in confirmations(tag).items():
        for prefix in ("Re: ", "RE: ", "AW: ", "Antw: ", "Fwd: ", "Re: Aw: "):
            assert not is_refusal(f"{prefix}{draft.subject}", "", VOCABULARIES), (name, prefix)


@pytest.mark.parametrize("tag", TAGS)
def test_what_help_names_is_understood(tag: str) -> None:
    """Every command in the letter, written as it stands there, is read as what the letter says it is."""
    verbs = {
        "list": {Verb.LIST},
        "join": {Verb.JOIN},
        "leave": {Verb.LEAVE},
        "mine": {Verb.MINE},
        "often": {Verb.FREQUENCY},
        "pause": {Verb.PAUSE, Verb.RESUME},
        "stop": {Verb.STOP},
    }
    for key, wanted in verbs.items():
        said = LANGUAGES[tag].say(f"letters.help.{key}", category="career-advice")
        commands = re.split(r",? (?:and|or|und|oder|et|ou|y|o|או|וגם) |, ", said.partition(":")[0].strip())
        read = [parse_command(one, "", {tag: LANGUAGES[tag].commands}) for one in commands]
        assert {command and command.verb for command in read} == wanted, said
        if key == "often":
            assert {command and command.frequency for command in read} == set(Frequency)
        if key in ("join", "leave"):
            assert read[0] is not None
            assert list(map(fold, read[0].categories)) == ["career-advice"]
        if key == "pause":
            assert read[0] is not None
            assert read[0].weeks == 4


@pytest.mark.parametrize("tag", TAGS)
def test_a_pause_of_one_week_is_not_of_one_weeks(tag: str) -> None:
    """The count agrees with its noun."""
    drafter = Drafter(LANGUAGES[tag], site=SITE)
    for weeks in (1, 4):
        draft = drafter.confirmation(
            RequestKind.PAUSE,
            address=ADDRESS,
            titles=TITLES,
            url=CONFIRM,
            days=7,
            frequency=None,
            weeks=weeks,
            is_answerable=False,
        )
        assert LANGUAGES[tag].weeks(weeks) in draft.subject
        assert LANGUAGES[tag].weeks(weeks) in draft.blocks[1].text


@pytest.mark.parametrize("tag", TAGS)
def test_days_are_in_the_letters_language(tag: str) -> None:
    """Wherever one is named; none is ISO 8601's."""
    named = [name for name, draft in drafts(tag).items() if LANGUAGES[tag].date(DAY) in draft.wording]
    assert named == ["joined", "changed pause", "list", "unknown", "mine"]
    assert not [name for name, draft in drafts(tag).items() if "2026-03" in draft.wording]


# To look at.


def test_letters_of_two_shapes_have_no_violation() -> None:
    """axe finds nothing wrong with a button and a list, from either side, in light and dark."""
    shapes = [("en", "confirm join"), ("he", "list")]
    pages = {f"{tag} {name}": html_of(drafts(tag)[name]) for tag, name in shapes}
    assert axe_violations(pages, disabled=NOT_FOR_MAIL, views=EACH_ONCE) == []


@pytest.mark.trial
@pytest.mark.parametrize("tag", TAGS)
def test_letters_have_no_violation(tag: str) -> None:
    """Nor with any letter in any language, at 375 and 700 pixels."""
    pages = {f"{tag} {name}": html_of(draft) for name, draft in drafts(tag).items()}
    assert axe_violations(pages, disabled=NOT_FOR_MAIL) == []
