"""`paperround subscriber` at work."""

import json
import re
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.schedule.categories import find_category
from tests.conftest import Cli, Done, write_post

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is told and how is the same on every database; the listings and the errors are read on both."""


def subscriber(site: App, cli: Cli, *arguments: object) -> Done:
    return cli("--site", site.settings.folder, "subscriber", *arguments)


def states(site: App, cli: Cli) -> dict[str, str]:
    listed = json.loads(subscriber(site, cli, "list", "--json").stdout)
    return {row["address"]: row["subscriptions"].get("advice", "") for row in listed}


def test_adding_says_how_a_reader_stands(advice: App, cli: Cli) -> None:
    """Unconfirmed readers wait and it is said so; confirming, adding again, and coming back differ."""
    unconfirmed = ", unconfirmed: no letters until you add them with --confirmed"
    add = ("add", "Ann@Example.org", "--category", "advice")
    assert subscriber(advice, cli, *add).stderr == f"Ann@example.org: added to advice{unconfirmed}.\n"
    assert subscriber(advice, cli, *add).stderr == f"Ann@example.org: already in advice{unconfirmed}.\n"
    assert subscriber(advice, cli, *add, "--confirmed").stderr == "Ann@example.org: now in advice.\n"
    again = subscriber(advice, cli, "add", "ann@example.org", "--category", "advice")
    assert again.stderr == "Ann@example.org: already in advice.\n"
    assert states(advice, cli) == {"Ann@example.org": "active"}
    assert subscriber(advice, cli, "remove", "ann@EXAMPLE.org").stderr == "Ann@example.org left advice.\n"
    assert (
        subscriber(advice, cli, "remove", "ann@example.org").stderr == "Ann@example.org had left already.\n"
    )
    assert subscriber(advice, cli, *add, "--confirmed").stderr == "Ann@example.org: now in advice.\n"


def test_how_they_agreed_is_kept(advice: App, cli: Cli) -> None:
    """Name and evidence are on the record, on one line each, whatever was pasted."""
    options = (
        "--category",
        "advice",
        "--confirmed",
        "--name",
        " Ann\tLee ",
        "--evidence",
        "Signed up\nat the fair",
    )
    assert subscriber(advice, cli, "add", "ann@example.org", *options).returncode == 0
    shown = json.loads(subscriber(advice, cli, "show", "ann@example.org", "--json").stdout)
    assert shown["name"] == "Ann Lee"
    assert [(consent["source"], consent["evidence"]) for consent in shown["consents"]] == [
        ("cli", "Signed up at the fair")
    ]


def test_an_import_counts_what_came_of_it(advice: App, cli: Cli, tmp_path: Path) -> None:
    """Added, there already, confirmed by it, and those who had left and stay out: each is counted."""
    for name in ("there", "pending", "gone"):
        options = [] if name == "pending" else ["--confirmed"]
        assert (
            subscriber(advice, cli, "add", f"{name}@example.org", "--category", "advice", *options).returncode
            == 0
        )
    assert subscriber(advice, cli, "remove", "gone@example.org").returncode == 0
    path = tmp_path / "readers.csv"
    path.write_text(
        "email,name\nnew@example.org,New\nthere@example.org,\npending@example.org,\ngone@example.org,\n",
        encoding="utf-8",
    )
    done = subscriber(advice, cli, "import", path, "--category", "advice", "--confirmed")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == ("advice: 1 added, 1 there already, 1 confirmed now, 1 had left and stay out.\n")
    assert states(advice, cli) == {
        "there@example.org": "active",
        "pending@example.org": "active",
        "gone@example.org": "left",
        "new@example.org": "active",
    }
    path.write_text("email,name\n", encoding="utf-8")
    assert subscriber(advice, cli, "import", path, "--category", "advice").stderr == (
        "advice: the file names nobody.\n"
    )


def test_what_is_exported_can_be_imported(advice: App, cli: Cli, tmp_path: Path) -> None:
    """The export is CSV with a header, and brings the same readers into another category."""
    for name in ("ann", "bo"):
        add = ("add", f"{name}@example.org", "--category", "advice", "--confirmed", "--name", f'{name}, "x"')
        assert subscriber(advice, cli, *add).returncode == 0
    done = subscriber(advice, cli, "export", "--category", "advice")
    assert done.stderr == ""
    assert done.stdout.splitlines()[0].startswith("email,name,category,state,since,")
    path = tmp_path / "out.csv"
    path.write_text(done.stdout, encoding="utf-8")
    assert cli("--site", advice.settings.folder, "category", "add", "letters").returncode == 0
    assert subscriber(advice, cli, "import", path, "--category", "letters", "--confirmed").returncode == 0
    again = subscriber(advice, cli, "export", "--category", "letters").stdout
    assert "letters,active" in again
    assert '"ann, ""x"""' in again


def test_leaving_one_category_keeps_the_others(advice: App, cli: Cli) -> None:
    """--category takes a reader out of that one alone; one they are not in is named."""
    assert cli("--site", advice.settings.folder, "category", "add", "letters").returncode == 0
    both = ("--category", "advice", "--category", "letters", "--confirmed")
    assert subscriber(advice, cli, "add", "ann@example.org", *both).returncode == 0
    done = subscriber(advice, cli, "remove", "ann@example.org", "--category", "letters")
    assert done.stderr == "ann@example.org left letters.\n"
    assert states(advice, cli) == {"ann@example.org": "active"}
    done = subscriber(advice, cli, "remove", "ann@example.org", "--category", "ghost")
    assert (done.returncode, done.stderr) == (1, "paperround: ann@example.org does not subscribe to ghost\n")


def test_a_reader_pauses_and_comes_back(advice: App, cli: Cli) -> None:
    """A pause is said with its end, shown, and ended by hand; who has none, or is no reader, is told so."""
    folder = advice.settings.folder

    def subscriber(*arguments: str) -> Done:
        return cli("--site", folder, "subscriber", *arguments)

    subscriber("add", "ann@example.org", "--category", "advice", "--confirmed")
    paused = subscriber("pause", "ann@example.org", "--weeks", "2")
    assert paused.returncode == 0
    assert re.fullmatch(r"ann@example.org gets nothing of advice until 2\d{3}-\d\d-\d\d\.\n", paused.stderr)
    assert "advice (paused)" in subscriber("list").stdout
    assert "of advice again" in subscriber("resume", "ann@example.org").stderr
    assert "had not paused" in subscriber("resume", "ann@example.org").stderr
    refused = subscriber("pause", "ann@example.org", "--weeks", "2", "--category", "news")
    assert (refused.returncode, "does not subscribe to news" in refused.stderr) == (1, True)
    subscriber("remove", "ann@example.org")
    assert "no letters that could be paused" in subscriber("pause", "ann@example.org", "--weeks", "2").stderr


def test_what_is_known_of_a_reader_can_change(advice: App, cli: Cli) -> None:
    """Name and zone are set, shown and taken back."""
    folder = advice.settings.folder
    add = ("add", "ann@example.org", "--category", "advice", "--timezone", "Asia/Tokyo", "--confirmed")
    assert cli("--site", folder, "subscriber", *add).returncode == 0
    shown = json.loads(cli("--site", folder, "subscriber", "show", "ann@example.org", "--json").stdout)
    assert (shown["name"], shown["timezone"]) == (None, "Asia/Tokyo")
    edit = ("edit", "ann@example.org", "--name", "Ann  Lee", "--timezone", "unknown")
    assert cli("--site", folder, "subscriber", *edit).stderr == "ann@example.org: Ann Lee.\n"
    assert "neither" in cli("--site", folder, "subscriber", "edit", "ann@example.org", "--name", "").stderr


def test_which_letters_a_reader_wants_can_change(advice: App, cli: Cli) -> None:
    """A wish is said back and shown, and `usual` takes it back."""
    subscriber(advice, cli, "add", "ann@example.org", "--category", "advice", "--confirmed")

    def wish(*options: str) -> str:
        return subscriber(advice, cli, "edit", "ann@example.org", *options).stderr

    assert wish("--frequency", "monthly") == "ann@example.org: a digest a month.\n"
    assert (
        wish("--frequency", "issue", "--weekly-cap", "1")
        == "ann@example.org: a letter of each issue, at most 1 letter a week.\n"
    )
    shown = json.loads(subscriber(advice, cli, "show", "ann@example.org", "--json").stdout)
    assert (shown["frequency"], shown["weekly_cap"]) == ("issue", 1)
    assert (
        wish("--frequency", "usual", "--weekly-cap", "none")
        == "ann@example.org: any number of letters a week.\n"
    )
    wish("--weekly-cap", "usual")
    [listed] = json.loads(subscriber(advice, cli, "list", "--json").stdout)
    assert (listed["frequency"], listed["weekly_cap"]) == (None, None)


def test_a_digest_from_the_command_line(
    advice: App, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is planned is what goes out: one letter of two categories, and the books say so."""
    monkeypatch.setenv("PAPERROUND_DELIVERY__DIGEST", "true")
    folder = advice.settings.folder

    def run(*arguments: object) -> Done:
        return cli("--site", folder, *arguments)

    run("category", "add", "news", "--cadence", "weekly tue 18:00", "--timezone", "UTC")
    with advice.database.write() as session:
        find_category(session, "news").slots_from = advice.clock()
    for slug in ("advice", "news"):
        run("queue", "add", write_post(tmp_path, f"of-{slug}", title=f"Of {slug}"), "--category", slug)
        run("subscriber", "add", "ann@example.org", "--category", slug, "--confirmed")
    run("subscriber", "add", "bo@example.org", "--category", "news", "--confirmed")
    morning, evening = "2026-01-06T08:00:00Z", "2026-01-06T18:00:00Z"
    planned = run("plan", "--weeks", "1", "--at", "2026-01-05T00:00:00Z").stdout.splitlines()
    assert [re.sub(" +", " ", line) for line in planned[1:]] == [
        "2026-01-06T08:00 UTC advice of-advice 1, 1 by digest",
        "2026-01-06T18:00 UTC news of-news 2, 1 by digest",
        "2026-01-06T18:00 UTC digest of-advice, of-news 1",
    ]
    first = run("tick", "--at", morning).stdout
    assert "issue 1 for 1 reader, 1 of them in digests: Of advice" in first
    [waiting] = json.loads(run("issue", "list", "--json").stdout)
    assert (waiting["finished_at"], waiting["for_digests"], waiting["deliveries"]) == (None, 1, {})
    assert "1 for digests" in run("issue", "list").stdout
    run("tick", "--at", evening)
    listed = json.loads(run("issue", "list", "--json").stdout)
    assert [(row["category"], row["deliveries"], row["for_digests"]) for row in listed] == [
        ("advice", {}, 0),
        ("digest", {"sent": 1}, 0),
        ("news", {"sent": 1}, 0),
    ]
    assert all(row["finished_at"] for row in listed)
    [letter] = [
        message
        for path in (folder / "sandbox").rglob("*.eml")
        if (message := message_from_bytes(path.read_bytes(), policy=policy.default))["To"]
        == "ann@example.org"
    ]
    assert "Of advice" in letter["Subject"]
    assert letter["List-Id"].endswith(f"<digest.{advice.settings.list_domain}>")
    assert run("db", "check").returncode == 0
