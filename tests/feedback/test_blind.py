"""A mixed set of reports that the reading code was not written against: the measure of how well it reads."""

import re
from dataclasses import replace
from email import message_from_bytes
from typing import Any

from subscribers.tokens import Purpose
from tests.feedback.blind import FOLDER, NUMBER, PLACEHOLDER, PLACEHOLDERS, SIGNER, Sample, expected, samples

KINDS = {"failed", "delayed", "delivered", "complaint", "other"}
CLASSES = {"dead", "disabled", "full", "routing", "policy", "content", "unclear"}
TRACES = {"verp", "message-id", "leave", "none"}
PERCENT = 95
_TOKENS = {
    "verp": ("bounce_tokens", SIGNER.sign(Purpose.BOUNCE, NUMBER)),
    "message-id": ("message_ids", SIGNER.sign(Purpose.MESSAGE, NUMBER)),
    "leave": ("leave_tokens", SIGNER.sign(Purpose.LEAVE, NUMBER)),
}
"""Where a report has each trace, and the token that it holds."""

_RETURNED_ID = re.compile(r"^message-id: *\{\{MESSAGE_ID\}\}", re.IGNORECASE | re.MULTILINE)


def read(sample: Sample) -> Any:
    from newsletter.feedback.reports import read_report

    return read_report(sample.content, sample.return_path)


def traces(report: Any) -> set[str]:
    """By which traces a report leads to our letter."""
    return {
        trace
        for trace, (field, token) in _TOKENS.items()
        if any(token in found.lower() for found in getattr(report.traces, field))
    }


def found(sample: Sample, report: Any) -> set[str]:
    """By which traces our letter is found, that of the address it came to among them."""
    return traces(report) | ({"verp"} if sample.arrives == "verp" else set())


def mistakes(sample: Sample) -> str:
    """What is read out of a message that should not be; nothing, if it is read right."""
    report = read(sample)
    kind, bounce_class = report.kind.lower(), report.bounce_class and report.bounce_class.value
    wrong = []
    if kind != sample.kind:
        wrong.append(f"is {kind}, not {sample.kind}")
    if sample.kind == "failed" == kind and bounce_class != sample.bounce_class:
        wrong.append(f"{bounce_class}, not {sample.bounce_class}")
    # What is no report is put to nobody, whatever stands in it.
    if sample.kind != "other" and sample.trace != "none" and sample.trace not in found(sample, report):
        wrong.append(f"not traced by {sample.trace}")
    if sample.kind != "other" and sample.trace == "none" and traces(report):
        wrong.append(f"traced by {', '.join(traces(report))}")
    if not wrong:
        return ""
    return f"{sample.name}: {'; '.join(wrong)} [{report.status} {report.diagnostic[:100]!r}] {sample.note}"


def test_the_set_is_sound() -> None:
    """Each file is listed and the other way round, all words are known, and no placeholder is left."""
    listed = expected()
    assert sorted(listed) == sorted(path.name for path in FOLDER.glob("*.eml"))
    assert len(listed) >= 120
    for sample in samples():
        assert (sample.kind in KINDS, sample.trace in TRACES) == (True, True), sample.name
        assert (sample.bounce_class in CLASSES) == (sample.kind == "failed"), sample.name
        assert sample.arrives in {"verp", "ours"}, sample.name
        assert sample.line_ends in {"crlf", "lf"}, sample.name
        assert set(PLACEHOLDER.findall(sample.template)) <= set(PLACEHOLDERS) | {"END"}, sample.name
        assert b"{{" not in sample.content, sample.name
        assert b"\r\r" not in sample.content, sample.name
        header = message_from_bytes(sample.content)
        assert header["From"] or header["Subject"], sample.name


def test_the_set_holds_the_traces_that_it_promises() -> None:
    """A message of which our letter is to be found has that trace, and one of which none is has none."""
    needed = {
        "verp": ("{{VERP}}", "{{VERP_TOKEN}}", "{{VERP_SHOUTED}}"),
        "message-id": ("{{MESSAGE_ID}}", "{{MESSAGE_ID_ESCAPED}}"),
        "leave": ("{{LEAVE_URL}}", "{{LEAVE_ADDRESS}}"),
    }
    for sample in samples():
        held = {trace for trace, names in needed.items() if any(name in sample.template for name in names)}
        if sample.trace == "none":
            assert sample.kind == "other" or not held, sample.name
        else:
            assert sample.trace in held, sample.name


def test_the_set_is_mixed() -> None:
    """No kind, class or trace is missing, and no system makes up most of it."""
    everything = samples()
    assert {sample.kind for sample in everything} == KINDS
    assert {sample.bounce_class for sample in everything} == CLASSES | {None}
    assert {sample.trace for sample in everything} == TRACES
    systems = [re.split(r"\W", sample.system)[0] for sample in everything]
    assert max(systems.count(system) for system in systems) < len(systems) / 4
    assert len(set(systems)) > 40


def test_reports_are_put_to_the_right_reader_class_and_effect() -> None:
    """At least 95 of 100 of each round have the right kind, class and trace."""
    rounds: dict[int, list[Sample]] = {}
    for sample in samples():
        rounds.setdefault(sample.round, []).append(sample)
    wrong = {number: list(filter(None, map(mistakes, written))) for number, written in rounds.items()}
    for number, written in rounds.items():
        right = len(written) - len(wrong[number])
        print(f"round {number}: {right} of {len(written)} are right", *wrong[number], sep="\n")  # noqa: T201
    for number, written in rounds.items():
        assert len(wrong[number]) * 100 <= (100 - PERCENT) * len(written), "\n".join(wrong[number])


def test_nothing_but_a_report_counts_as_one() -> None:
    """No answer by machine and no person's letter is ever a failure or a complaint."""
    for sample in samples():
        if sample.kind == "other":
            assert read(sample).kind.lower() not in {"failed", "complaint"}, sample.name


def test_a_letter_is_found_without_the_envelope() -> None:
    """A mailbox may lose the envelope: of what returns our letter's header, at least 95 of 100 lead to it."""
    returning = [
        sample for sample in samples() if sample.kind != "other" and _RETURNED_ID.search(sample.template)
    ]
    lost = [sample.name for sample in returning if "message-id" not in traces(read(sample))]
    assert len(lost) * 100 <= (100 - PERCENT) * len(returning), lost


def test_line_ends_make_no_difference() -> None:
    """A store of mail may have LF for CRLF, or the other way round: the same is read."""
    for sample in samples():
        other = replace(sample, line_ends="lf" if sample.line_ends == "crlf" else "crlf")
        one, two = read(sample), read(other)
        assert (one.kind, one.bounce_class, one.traces) == (two.kind, two.bounce_class, two.traces), (
            sample.name
        )
