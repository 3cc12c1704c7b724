"""Moving in: exports of other tools come in by the documented commands; letters go to the right people."""

import csv
import json
import re
import signal
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlmodel import select

from newsletter.app import App
from newsletter.models import Delivery
from subscribers.address import parse_address
from subscribers.models import ImportRun, Subscriber, Subscription
from subscribers.moving import coming, importing
from subscribers.subscriptions import find_subscriber
from tests.conftest import Cli, Clock, Done, subscribe, write_post

TUESDAY = datetime(2026, 1, 6, 8, 0, tzinfo=UTC)
_HEADER = "Email Address,First Name,Last Name,OPTIN_TIME,CONFIRM_TIME,{}LEID,EUID,TAGS\n"


def moved(site: App, cli: Cli, *arguments: object) -> Done:
    """The import of a file into the site."""
    return cli("--site", site.settings.folder, "subscriber", "import", *arguments)


def listmonk(path: Path) -> Path:
    """What listmonk's API says of people in every state."""

    def one(name: str, status: str, *lists: tuple[str, str]) -> dict[str, object]:
        on = [{"name": to, "subscription_status": state, "optin": "double"} for to, state in lists]
        about = {"uuid": name, "email": f"{name}@example.org", "name": name.title(), "attribs": {}}
        return {**about, "status": status, "created_at": "2024-01-02T03:04:05Z", "lists": on}

    results = [
        one("confirmed", "enabled", ("Weekly", "confirmed"), ("Old", "unsubscribed")),
        one("unconfirmed", "enabled", ("Weekly", "unconfirmed")),
        one("gone", "enabled", ("Weekly", "unsubscribed")),
        one("blocked", "blocklisted", ("Weekly", "confirmed")),
        one("elsewhere", "enabled", ("Old", "confirmed")),
        one("left-here", "enabled", ("Weekly", "confirmed")),
        one("bounces-here", "enabled", ("Weekly", "confirmed")),
    ]
    path.write_text(json.dumps({"data": {"results": results}}), encoding="utf-8")
    return path


def mailchimp(path: Path) -> Path:
    """The ZIP of an audience: who subscribed, who left, and whose address is dead."""
    with ZipFile(path, "w") as archive:
        archive.writestr(
            "subscribed_email_audience_export_1.csv",
            _HEADER.format("")
            + "twice@example.org,Ann,Lee,2021-01-02 03:04:05,2021-01-02 04:05:06,1,a,\n"
            + "once@example.org,Bo,Ek,,2021-01-02 04:05:06,2,b,\n"
            + "both@example.org,Cy,Ek,,2021-01-02 04:05:06,3,c,\n",
        )
        archive.writestr(
            "unsubscribed_email_audience_export_1.csv",
            _HEADER.format("UNSUB_TIME,")
            + "Both@example.org,Cy,Ek,,2021-01-02 04:05:06,2022-01-02 03:04:05,4,d,\n",
        )
        archive.writestr(
            "cleaned_email_audience_export_1.csv",
            _HEADER.format("CLEAN_TIME,") + "dead@example.org,,,,,2022-01-02 03:04:05,5,e,\n",
        )
    return path


def next_issue(site: App, cli: Cli, clock: Clock) -> set[str]:
    """To whom the next issue goes."""
    post = write_post(site.settings.folder / "posts", "2026-01-02-p")
    assert cli("--site", site.settings.folder, "queue", "add", post).returncode == 0
    clock.now = TUESDAY
    site.plan_due()
    with site.database.read() as session:
        return set(
            session.exec(
                select(Subscriber.address).join(
                    Delivery,
                    Delivery.subscriber_id == Subscriber.id,  # type: ignore[arg-type]
                )
            )
        )


def test_a_listmonk_export_moves_in(advice: App, cli: Cli, clock: Clock, tmp_path: Path) -> None:
    """The next issue goes to exactly those who confirmed there, and have neither left here nor an order."""
    folder = advice.settings.folder
    subscribe(advice, "left-here@example.org", "bounces-here@example.org", "here@example.org")
    leave = ("unsubscribe", "left-here@example.org", "--reason", "asked")
    assert cli("--site", folder, "subscriber", *leave).returncode == 0
    subscribe(advice, "gone@example.org", confirmed=False)
    with advice.database.write() as session:
        from subscribers.models import SuppressionReason
        from tests.orders import suppress

        suppress(advice, session, "bounces-here@example.org", SuppressionReason.BOUNCED)
    file = listmonk(tmp_path / "subscribers.json")
    refused = moved(advice, cli, file, "--confirmed")
    assert refused.returncode == 1
    assert 'no category is named for "Old" (2), "Weekly" (6): say --list "Old=SLUG"' in refused.stderr
    places = ("--list", "Weekly=advice", "--list", "Old=", "--confirmed")
    looked = moved(advice, cli, file, *places, "--dry-run")
    told = (
        "advice: 1 added, 1 added unconfirmed, 1 left there and stay out, 1 had left and stay out, 2 are not "
        "to be written to and stay out.\n"
    )
    assert looked.returncode == 0
    assert told in looked.stdout
    assert "Old     (left out)  1" in looked.stdout
    done = moved(advice, cli, file, *places)
    assert (done.returncode, done.stderr[: len(told)]) == (0, told)
    assert next_issue(advice, cli, clock) == {"confirmed@example.org", "here@example.org"}
    with advice.database.read() as session:
        assert advice.suppressions.find(session, parse_address("blocked@example.org")) is not None


def test_a_mailchimp_export_moves_in(advice: App, cli: Cli, clock: Clock, tmp_path: Path) -> None:
    """Who left there is not written to though another file has them; nor is whose mail bounced there."""
    done = moved(advice, cli, mailchimp(tmp_path / "audience.zip"), "--category", "advice", "--json")
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert (summary["tool"], summary["rows"], summary["new"], summary["orders"]) == ("mailchimp", 5, 4, 1)
    assert summary["categories"] == {
        "advice": {"active": 1, "pending": 1, "left": 1, "had_left": 1, "suppressed": 1}
    }
    confirmed = moved(advice, cli, tmp_path / "audience.zip", "--category", "advice", "--confirmed")
    assert confirmed.returncode == 0
    assert next_issue(advice, cli, clock) == {"twice@example.org", "once@example.org"}
    show = ("subscriber", "show", "twice@example.org")
    assert "optin_time: 2021-01-02 03:04:05" in cli("--site", advice.settings.folder, *show).stdout


def test_bad_rows_are_written_to_a_file_that_can_be_imported(advice: App, cli: Cli, tmp_path: Path) -> None:
    """Each with its line, its reason and its cells: mended there, it is a file like any other."""
    path, bad = tmp_path / "r.csv", tmp_path / "bad.csv"
    rows = "".join(f'no{number},"Ek, {number}"\n' for number in range(30))
    path.write_text(f"email,name\nann@example.org,Ann\n{rows}", encoding="utf-8")
    done = moved(advice, cli, path, "--category", "advice", "--bad-rows", bad, "--dry-run")
    assert done.returncode == 1
    assert f"and 10 more: all are in {bad}" in done.stderr
    with bad.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [(one["line"], one["email"], one["name"]) for one in written] == [
        (str(number + 3), f"no{number}", f"Ek, {number}") for number in range(30)
    ]
    mended = re.sub(r'"no(\d+)"', r'"no\1@example.org"', bad.read_text(encoding="utf-8"))
    bad.write_text(mended, encoding="utf-8")
    again = moved(advice, cli, bad, "--category", "advice")
    assert (again.returncode, again.stderr.splitlines()[0]) == (0, "advice: 30 added unconfirmed.")
    with advice.database.read() as session:
        found = find_subscriber(session, parse_address("no0@example.org"))
        assert found is not None
        assert found.name == "Ek, 0"


def test_an_import_that_is_interrupted_says_how_to_go_on(
    advice: App, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends it in good order; the same command goes on, and tells what one run would have told."""
    path = tmp_path / "r.csv"
    path.write_text("email\n" + "".join(f"r{number}@example.org\n" for number in range(6)), encoding="utf-8")
    monkeypatch.setattr(coming, "AT_ONCE", 2)
    bring_batch = importing._bring_batch

    def interrupted(*given: object) -> ImportRun:
        run = bring_batch(*given)  # type: ignore[arg-type]
        if run.done == 4:
            signal.raise_signal(signal.SIGINT)
        return run

    with monkeypatch.context() as patch:
        patch.setattr(importing, "_bring_batch", interrupted)
        patch.setattr("signal.getsignal", lambda number: signal.default_int_handler)
        stopped = moved(advice, cli, path, "--category", "advice", "--confirmed")
    assert stopped.returncode == 130
    assert stopped.stderr == "Stopped. Who was brought in stays; the same command goes on from there.\n"
    with advice.database.read() as session:
        assert len(session.exec(select(Subscriber)).all()) == 4
    done = moved(advice, cli, path, "--category", "advice", "--confirmed")
    assert (done.returncode, done.stderr) == (0, "advice: 6 added.\n")


def test_bad_rows_of_an_archive_are_a_folder_that_can_be_imported(
    advice: App, cli: Cli, tmp_path: Path
) -> None:
    """Each file has its own rows, header and name, by which mended people are what they were there."""
    folder, bad = tmp_path / "mc", tmp_path / "bad"
    folder.mkdir()
    (folder / "subscribed_a.csv").write_text(
        _HEADER.format("") + "on(at)example.org,,,,2021-01-02,1,a,\n", encoding="utf-8"
    )
    (folder / "unsubscribed_a.csv").write_text(
        _HEADER.format("UNSUB_TIME,") + "off(at)example.org,,,,,2022-01-02,2,b,\nx@example.org,,,,,,3,c,\n",
        encoding="utf-8",
    )
    done = moved(advice, cli, folder, "--category", "advice", "--bad-rows", bad, "--confirmed")
    assert (done.returncode, sorted(path.name for path in bad.iterdir())) == (
        1,
        ["subscribed_a.csv", "unsubscribed_a.csv"],
    )
    for path in bad.iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace("(at)", "@"), encoding="utf-8")
    assert moved(advice, cli, bad, "--category", "advice", "--confirmed").returncode == 0
    with advice.database.read() as session:
        held = session.exec(select(Subscriber.address, Subscription.state).join(Subscription)).all()
    assert dict(held) == {"on@example.org": "active", "off@example.org": "left", "x@example.org": "left"}


def test_bad_rows_of_two_audiences_do_not_meet(advice: App, cli: Cli, tmp_path: Path) -> None:
    """Files of one name in two folders of an archive are two files of bad rows."""
    path, bad = tmp_path / "both.zip", tmp_path / "bad"
    with ZipFile(path, "w") as archive:
        for folder in ("one", "two"):
            row = f"{folder}(at)example.org,,,,2021-01-02,1,a,\n"
            archive.writestr(f"{folder}/subscribed_a.csv", _HEADER.format("") + row)
    assert moved(advice, cli, path, "--category", "advice", "--bad-rows", bad).returncode == 1
    written = {one.name: one.read_text(encoding="utf-8").count("(at)example.org") for one in bad.iterdir()}
    assert written.keys() == {"one_subscribed_a.csv", "two_subscribed_a.csv"}
    assert all(written.values())


def test_bad_entries_of_an_api_can_be_mended(advice: App, cli: Cli, tmp_path: Path) -> None:
    """They are written as JSON, with what is wrong with each."""
    path, bad = listmonk(tmp_path / "s.json"), tmp_path / "bad.json"
    path.write_text(path.read_text(encoding="utf-8").replace("gone@", "gone(at)"), encoding="utf-8")
    places = ("--list", "Weekly=advice", "--list", "Old=")
    assert moved(advice, cli, path, *places, "--bad-rows", bad).returncode == 1
    (entry,) = json.loads(bad.read_text(encoding="utf-8"))
    assert "not an email address" in entry["problem"]
    bad.write_text(bad.read_text(encoding="utf-8").replace("(at)", "@"), encoding="utf-8")
    done = moved(advice, cli, bad, "--category", "advice")
    assert (done.returncode, done.stderr) == (0, "advice: 1 left there and stay out.\n")


def test_bad_rows_of_a_bare_list_can_be_mended(advice: App, cli: Cli, tmp_path: Path) -> None:
    """A file without a header gets one."""
    path, bad = tmp_path / "r.txt", tmp_path / "bad.csv"
    path.write_text("ann@example.org\nbo(at)example.org\n", encoding="utf-8")
    assert moved(advice, cli, path, "--category", "advice", "--bad-rows", bad).returncode == 1
    bad.write_text(bad.read_text(encoding="utf-8").replace("(at)", "@"), encoding="utf-8")
    done = moved(advice, cli, bad, "--category", "advice")
    assert done.returncode == 0
    assert "advice: 1 added unconfirmed" in done.stderr


def test_what_a_file_cannot_say_is_told_by_the_import_too(advice: App, cli: Cli, tmp_path: Path) -> None:
    """Not only by a dry run: who left listmonk's lists is not in its CSV."""
    path = tmp_path / "subscribers.csv"
    path.write_text(
        "uuid,email,name,attributes,status,created_at,updated_at\nu,ann@example.org,,{},enabled,,\n",
        encoding="utf-8",
    )
    refused = moved(advice, cli, path, "--category", "advice")
    assert refused.returncode == 1
    assert "say --from listmonk to take it as it is" in refused.stderr
    done = moved(advice, cli, path, "--category", "advice", "--from", "listmonk")
    assert (done.returncode, "does not say who left a list" in done.stderr) == (0, True)


def test_another_reading_of_a_file_is_another_import(
    advice: App, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped, and begun again with a column that had been forgotten: nobody who left is passed over."""
    path = tmp_path / "r.csv"
    rows = "".join(f"r{number}@example.org,{'x' if number % 2 else ''}\n" for number in range(6))
    path.write_text(f"email,Wann\n{rows}", encoding="utf-8")
    monkeypatch.setattr(coming, "AT_ONCE", 2)
    bring_batch = importing._bring_batch

    def interrupted(*given: object) -> ImportRun:
        bring_batch(*given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(importing, "_bring_batch", interrupted)
        assert moved(advice, cli, path, "--category", "advice", "--confirmed").returncode == 130
    done = moved(advice, cli, path, "--category", "advice", "--confirmed", "--column", "left=Wann")
    assert done.returncode == 0
    assert "1 have letters here though they left or pause there" in done.stderr
    with advice.database.read() as session:
        states = session.exec(select(Subscription.state)).all()
    assert sorted(states) == ["active"] * 4 + ["left"] * 2


def test_an_export_takes_its_place_whole(advice: App, cli: Cli, tmp_path: Path) -> None:
    """A file of before is replaced by one that is whole; one that cannot be written is named."""
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "out.csv"
    path.write_text("before", encoding="utf-8")
    export = ("--site", advice.settings.folder, "subscriber", "export", "--output")
    assert cli(*export, path).returncode == 0
    assert path.read_text(encoding="utf-8").startswith("email,name,category")
    missing = cli(*export, folder / "no" / "x.csv")
    assert (missing.returncode, "no/x.csv: No such file" in missing.stderr) == (1, True)
    assert list(folder.iterdir()) == [path]


def test_who_left_before_confirming_here_is_not_brought_in_later(
    advice: App, cli: Cli, tmp_path: Path
) -> None:
    """Somebody who only waits here, and has left there meanwhile, has left."""
    path = tmp_path / "r.csv"
    for state, options, told in (
        ("active", (), "1 added unconfirmed"),
        ("unsubscribed", ("--confirmed",), "1 left there and stay out"),
        ("active", ("--confirmed",), "1 had left and stay out"),
    ):
        path.write_text(f"email,status\nann@example.org,{state}\n", encoding="utf-8")
        assert told in moved(advice, cli, path, "--category", "advice", *options).stderr


def test_a_file_that_is_written_anew_meanwhile_is_told(
    advice: App, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shorter one is no success: what was read is not what was looked through."""
    path = tmp_path / "r.csv"
    path.write_text("email\n" + "".join(f"r{number}@example.org\n" for number in range(6)), encoding="utf-8")
    look_through = importing.look_through

    def then_shrinks(*given: object) -> importing.Contents:
        contents = look_through(*given)  # type: ignore[arg-type]
        path.write_text("email\nr0@example.org\n", encoding="utf-8")
        return contents

    monkeypatch.setattr(importing, "look_through", then_shrinks)
    done = moved(advice, cli, path, "--category", "advice")
    assert done.returncode == 1
    assert "r.csv has changed while it was read" in done.stderr
