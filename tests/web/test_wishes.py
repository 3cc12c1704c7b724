"""What a form of preferences wishes: pure."""

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.wishes import Standing, Wishes, errors_in, fulfil, read_wishes, standing_of
from subscribers.base import system_clock
from subscribers.models import Subscriber

slugs = st.lists(st.sampled_from(["advice", "tales", "travel", "music"]), unique=True)
texts = st.sampled_from(["", "weekly", "3", "Ann", "Asia/Tokyo"])
standings = st.builds(Standing, name=texts, zone=texts, frequency=texts, cap=texts)


def form(standing: Standing, held: list[str], **changed: str) -> dict[str, list[str]]:
    """The fields of a form that shows how a reader stands, with some changed by them."""
    fields = {"shown": held, "keep": list(held), "pause": [""]}
    for name, value in asdict(standing).items():
        fields[f"{name}_shown"] = [value]
        fields[name] = [changed.get(name, value)]
    return fields


@given(standings, slugs, slugs, slugs)
def test_a_form_as_it_was_shown_wishes_nothing(
    standing: Standing, shown: list[str], held: list[str], others: list[str]
) -> None:
    """However old it is: whatever is held by now, and however the reader stands."""
    assert read_wishes(form(standing, shown), held, others) == Wishes()


@given(standings, slugs, slugs, st.sampled_from(["name", "zone", "frequency", "cap"]), texts)
def test_only_what_was_changed_is_a_wish(
    standing: Standing, shown: list[str], held: list[str], field: str, value: str
) -> None:
    """One field at a time, and only if it is another than was shown."""
    wishes = asdict(read_wishes(form(standing, shown, **{field: value}), held, []))
    expected = {} if value == getattr(standing, field) else {field: value}
    assert wishes == asdict(Wishes()) | expected


@given(slugs, slugs, slugs)
def test_what_is_left_was_shown_and_is_held(shown: list[str], keep: list[str], held: list[str]) -> None:
    """Nothing else, whatever the form says it showed and keeps."""
    left = read_wishes({"shown": shown, "keep": keep}, held, []).leave
    assert set(left) == (set(shown) - set(keep)) & set(held)


@given(st.dictionaries(st.text(max_size=9), st.lists(st.text(max_size=9), min_size=1)), slugs, slugs)
def test_no_fields_break_it(fields: dict[str, list[str]], held: list[str], others: list[str]) -> None:
    """Whatever is posted is read, and what cannot be is named."""
    assert isinstance(errors_in(read_wishes(fields, held, others)), dict)


@given(
    st.sampled_from(["", "Ann"]),
    st.sampled_from(["", "Asia/Tokyo"]),
    st.sampled_from(["", "weekly"]),
    st.sampled_from(["", "0", "7"]),
)
def test_what_is_wished_is_how_they_stand_then(name: str, zone: str, frequency: str, cap: str) -> None:
    """A row that a wish was fulfilled on shows it, and wishing the same again changes nothing."""
    row = Subscriber(address="a@b.example", address_key="a@b.example", created_at=system_clock())
    wishes = Wishes(name=name, zone=zone, frequency=frequency, cap=cap)
    assert fulfil(row, wishes) == any((name, zone, frequency, cap))
    assert standing_of(row) == Standing(name, zone, frequency, cap)
    assert not fulfil(row, wishes)
