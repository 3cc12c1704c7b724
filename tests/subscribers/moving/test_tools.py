"""The exports of other tools: who is who, on which list, and who must not be written to."""

import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from subscribers.models import SubscriptionState, SuppressionReason
from subscribers.moving.look import TOOLS, open_export
from subscribers.moving.people import BadRow, Newcomer
from subscribers.moving.source import CsvError
from tests.subscribers.moving.reading import lists, person, read, standing, write

LISTMONK = "uuid,email,name,attributes,status,created_at,updated_at\n"
MAILCHIMP = (
    "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,"
    "LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,{},LEID,EUID,NOTES,TAGS\n"
)
SUBSCRIBED = MAILCHIMP.format("LAST_CHANGED")
UNSUBSCRIBED = MAILCHIMP.format(
    "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER"
)
CLEANED = MAILCHIMP.format("CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID")
SUBSTACK = "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n"
GHOST = (
    "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,"
    "labels,tiers\r\n"
)
BUTTONDOWN = "email_address,notes,metadata,tags,creation_date,type,unsubscription_date,ip_address,source\n"


def by_address(people: list[Newcomer]) -> dict[str, Newcomer]:
    return {one.address.given: one for one in people}


def test_listmonks_csv(tmp_path: Path) -> None:
    """Enabled, disabled and blocklisted; Go's times; and what the file cannot say is told."""
    path = write(
        tmp_path / "subscribers.csv",
        LISTMONK
        + '5e91dda1,ann@example.org,Åsa Lee,"{""city"": ""Malmö""}",enabled,'
        + "2019-06-26 16:51:54.37065 +0530 +0530,2019-06-26 11:21:54 +0000 UTC\n"
        + "5e91dda2,bo@example.org,Bo,{},disabled,2019-06-26 11:21:54 +0000 UTC,\n"
        + "5e91dda3,cy@example.org,Cy,{},blocklisted,2019-06-26 11:21:54 +0000 UTC,\n"
        + "5e91dda4,di@example.org,Di,{},archived,2019-06-26 11:21:54 +0000 UTC,\n"
        + "5e91dda5,ed@example.org,Ed,{},,2019-06-26 11:21:54 +0000 UTC,\n",
    )
    with pytest.raises(CsvError, match=r"does not say who left a list, .* Or say --from listmonk to take it"):
        read(path)
    export = open_export(path, tool="listmonk")
    assert "does not say who left a list" in export.caveat
    people, bad = read(path, tool="listmonk")
    assert [(one.name, standing(one), one.suppress) for one in people] == [
        ("Åsa Lee", {"": "active"}, None),
        ("Bo", {"": "left"}, None),
        ("Cy", {"": "left"}, SuppressionReason.ASKED),
    ]
    assert people[0].created_at == datetime(2019, 6, 26, 11, 21, 54, 370650, tzinfo=UTC)
    assert [(row.line, row.problem) for row in bad] == [
        (5, "'archived' is no status that listmonk has"),
        (6, "'' is no status that listmonk has"),
    ]


def listmonk_json(*subscribers: object) -> str:
    return json.dumps({"data": {"results": subscribers, "query": "", "total": len(subscribers), "page": 1}})


def listmonk_subscriber(**fields: Any) -> dict[str, Any]:
    usual = {
        "id": 1,
        "created_at": "2020-02-10T23:07:16.199433+01:00",
        "uuid": "ea06b2e7",
        "email": "ann@example.org",
        "name": "Ann Lee",
        "attribs": {"city": "Bengaluru", "optin_ip": "192.0.2.1", "shipping": "fast", "gdpr_consent": True},
        "status": "enabled",
        "lists": [
            {
                "subscription_status": "confirmed",
                "subscription_created_at": "2020-02-10T23:07:16+01:00",
                "subscription_updated_at": "2020-03-10T00:00:00Z",
                "subscription_meta": {"optin_ip": "192.0.2.2"},
                "name": "Weekly",
                "optin": "double",
            },
            {"subscription_status": "unconfirmed", "name": "Monthly", "optin": "double"},
            {"subscription_status": "unconfirmed", "name": "Single", "optin": "single"},
            {"subscription_status": "unsubscribed", "name": "Old", "optin": "single"},
        ],
    }
    return usual | fields


def test_what_listmonks_api_says(tmp_path: Path) -> None:
    """Lists with their own states, dates and evidence; on a single opt-in, unconfirmed is active."""
    path = write(tmp_path / "s.json", listmonk_json(listmonk_subscriber()))
    one = person(path)
    assert (
        person(write(tmp_path / "powershell.json", path.read_text(encoding="utf-8").encode("utf-16"))) == one
    )
    assert standing(one) == {"Weekly": "active", "Monthly": "pending", "Single": "active", "Old": "left"}
    assert one.memberships[0].since == datetime(2020, 3, 10, tzinfo=UTC)
    assert one.evidence == {"Weekly: optin_ip": "192.0.2.2", "optin_ip": "192.0.2.1", "gdpr_consent": "True"}
    assert lists(open_export(path)) == {"Weekly": 1, "Monthly": 1, "Single": 1, "Old": 1}
    assert open_export(path).caveat == ""


def test_a_status_of_listmonks_stands_above_its_lists(tmp_path: Path) -> None:
    """Who is disabled or blocklisted is active nowhere; a state that is not known is a bad row."""
    path = write(
        tmp_path / "s.json",
        listmonk_json(
            listmonk_subscriber(status="blocklisted"),
            listmonk_subscriber(status="disabled"),
            listmonk_subscriber(lists=[]),
            listmonk_subscriber(lists=[{"subscription_status": "maybe", "name": "x"}]),
            listmonk_subscriber(lists=[7]),
            listmonk_subscriber(email=None),
            [],
        ),
    )
    people, bad = read(path)
    assert [set(standing(one).values()) for one in people] == [{"left"}, {"left"}, set()]
    assert [one.suppress for one in people] == [SuppressionReason.ASKED, None, None]
    assert [row.line for row in bad] == [4, 5, 6, 7]


def mailchimp_zip(path: Path) -> Path:
    times = "2018-02-12 10:54:27,192.0.2.1,2018-02-12 10:55:27,192.0.2.2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "subscribed_email_audience_export_1a10653875.csv",
            SUBSCRIBED + f"ann@example.org, Ann , Lee ,2,{times},,,-5,-4,America/New_York,US,NY,"
            '2019-01-01 00:00:00,1,a,,"""Lorem, Editors"",""VIP"""\n'
            f"bare@example.org,,,2,{times},,,,,,,,2019-01-01 00:00:00,2,b,,Editors\n",
        )
        archive.writestr(
            "unsubscribed_email_audience_export_1a10653875.csv",
            UNSUBSCRIBED + f'bo@example.org,Bo,,2,{times},,,,,,,,2020-05-13 10:18:25,,,,,3,c,,"""VIP"""\n'
            f"spam@example.org,,,2,{times},,,,,,,,2020-05-13 10:18:25,,,SPAM,they never stop,4,d,,\n",
        )
        archive.writestr(
            "cleaned_email_audience_export_1a10653875.csv",
            CLEANED + f"cy@example.org,,,1,{times},,,,,,,,2020-03-23 17:30:05,,,5,e,,\n",
        )
        archive.writestr(
            "nonsubscribed_email_audience_export_1a10653875.csv",
            SUBSCRIBED + "di@example.org,Di,,2,,,,,,,,,,,,,6,f,,\n",
        )
    return path


def test_mailchimps_archive(tmp_path: Path) -> None:
    """A file a state; tags are lists; opt-in and confirmation are evidence; buyers are nobody's readers."""
    path = mailchimp_zip(tmp_path / "audience_export_1a10653875.zip")
    people, bad = read(path)
    found = by_address(people)
    assert bad == []
    ann = found["ann@example.org"]
    assert (ann.name, ann.timezone) == ("Ann Lee", "America/New_York")
    assert standing(ann) == {"": "active", "Lorem, Editors": "active", "VIP": "active"}
    assert ann.created_at == datetime(2018, 2, 12, 10, 54, 27, tzinfo=UTC)
    assert ann.memberships[0].since == datetime(2018, 2, 12, 10, 55, 27, tzinfo=UTC)
    assert ann.evidence == {
        "optin_time": "2018-02-12 10:54:27",
        "optin_ip": "192.0.2.1",
        "confirm_time": "2018-02-12 10:55:27",
        "confirm_ip": "192.0.2.2",
    }
    assert standing(found["bare@example.org"]) == {"": "active", "Editors": "active"}
    assert standing(found["bo@example.org"]) == {"": "left", "VIP": "left"}
    assert found["bo@example.org"].memberships[0].since == datetime(2020, 5, 13, 10, 18, 25, tzinfo=UTC)
    assert found["spam@example.org"].suppress is SuppressionReason.COMPLAINED
    assert (standing(found["cy@example.org"]), found["cy@example.org"].suppress) == (
        {"": "left"},
        SuppressionReason.BOUNCED,
    )
    assert found["di@example.org"].memberships == ()
    export = open_export(path)
    assert (export.tool, export.skipped) == ("mailchimp", ())
    assert lists(export) == {"": 5, "Lorem, Editors": 1, "VIP": 2, "Editors": 1}


def test_no_file_of_mailchimps_is_passed_over(tmp_path: Path) -> None:
    """With fewer columns it is read; with others it is refused, for who left may be in it."""
    head, gone = "Email Address,CLEAN_TIME,LEID,EUID", "dead@example.org,2024-05-06 07:08:09,1,a"
    folder = tmp_path / "audience"
    folder.mkdir()
    write(
        folder / "subscribed_x.csv",
        "Email Address,OPTIN_TIME,CONFIRM_TIME,LEID,EUID\nann@example.org,,,1,b\n",
    )
    write(folder / "cleaned_x.csv", f"{head}\n{gone}\n")
    found, bad = read(folder)
    assert [(one.address.given, one.suppress) for one in found] == [
        ("dead@example.org", SuppressionReason.BOUNCED),
        ("ann@example.org", None),
    ]
    assert bad == []
    write(folder / "cleaned_x.csv", "Email Address,Since\ndead@example.org,2024\n")
    refused = r"cleaned_x\.csv: is mailchimp's by its name, but not by its columns"
    with pytest.raises(CsvError, match=refused):
        open_export(folder)
    write(folder / "subscribed_x.csv", "Email Address\nann@example.org\n")
    for tool in (None, "csv"):
        with pytest.raises(CsvError, match=refused):
            open_export(folder, tool=tool)


def test_mailchimps_archive_unpacked(tmp_path: Path) -> None:
    """The folder is the same as the archive."""
    path = mailchimp_zip(tmp_path / "x.zip")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
    assert list(open_export(tmp_path / "folder").rows()) == list(open_export(path).rows())


@pytest.mark.parametrize(
    ("name", "content", "state"),
    [
        ("subscribed_members_export_3f.csv", SUBSCRIBED, "active"),
        ("Unsubscribed_Segment_Export.csv", UNSUBSCRIBED, "left"),
        ("unsubscribed.csv", SUBSCRIBED, "left"),
        ("people who went.csv", UNSUBSCRIBED, "left"),
        ("old.csv", CLEANED, "left"),
    ],
)
def test_a_file_of_mailchimps_by_itself(tmp_path: Path, name: str, content: str, state: str) -> None:
    """Its state is in its name, or in its columns."""
    filled = content + "ann@example.org" + "," * (content.count(",")) + "\n"
    assert standing(person(write(tmp_path / name, filled))) == {"": state}


def test_a_file_of_mailchimps_that_says_no_state_is_refused(tmp_path: Path) -> None:
    """Buyers who never subscribed look the same as subscribers."""
    path = write(tmp_path / "people.csv", SUBSCRIBED + "ann@example.org" + "," * SUBSCRIBED.count(",") + "\n")
    with pytest.raises(CsvError, match=r"people\.csv: is Mailchimp's, .* give it back the name"):
        read(path)


@pytest.mark.parametrize("column", ["UNSUB_TIME", "CLEAN_TIME"])
def test_mailchimps_columns_are_believed_more_than_a_name(tmp_path: Path, column: str) -> None:
    """Who left is not subscribed by renaming the file."""
    header = SUBSCRIBED.strip() + f",{column}\n"
    row = "ann@example.org" + "," * header.count(",") + "2024-05-06 07:08:09\n"
    with pytest.raises(CsvError, match="its name says subscribed, but its columns are those of who was"):
        read(write(tmp_path / "subscribed_people.csv", header + row))
    assert standing(person(write(tmp_path / "people.csv", header + row))) == {"": "left"}


def test_substacks_archive(tmp_path: Path) -> None:
    """Only the list of addresses is read; who turned mail off has left; who pays is on one more."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("posts.csv", "post_id,post_date,is_published,title\n1.first,2024-03-01,true,First\n")
        archive.writestr("posts/1.first.html", "<p>ann@example.org")
        archive.writestr(
            "email_list.letters.csv",
            SUBSTACK
            + "ömil@example.org,true,2026-12-01T00:00:00.000Z,yearly,false,2018-08-27T15:06:27.713Z,\n"
            "bo@example.org,false,,other,true,2018-08-27T15:06:27.713Z,\n"
            "cy@example.org,,,other,perhaps,2018-08-27T15:06:27.713Z,\n",
        )
    people, bad = read(path)
    assert [standing(one) for one in people] == [{"": "active", "paid": "active"}, {"": "left"}]
    assert people[0].created_at == datetime(2018, 8, 27, 15, 6, 27, 713000, tzinfo=UTC)
    assert [row.problem for row in bad] == ["email_disabled is 'perhaps', and neither true nor false"]
    assert open_export(path).skipped == ("posts.csv",)


def test_substacks_logs_are_no_lists_of_readers(tmp_path: Path) -> None:
    """Who was once sent a post may have left since; without the list of addresses nobody is read."""
    log = "post_id,timestamp,email,active_subscription\n1,2023-01-05T10:36:08.164Z,ann@example.org,TRUE\n"
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("posts.csv", "post_id,title\n1.first,First\n")
        archive.writestr("posts/1.delivers.csv", log)
    with pytest.raises(CsvError, match=r"holds no file of people, only posts\.csv, posts/1\.delivers\.csv"):
        read(path)
    with pytest.raises(CsvError, match="says who was sent a post"):
        read(write(tmp_path / "1.opens.csv", log))


def test_an_old_list_of_substacks(tmp_path: Path) -> None:
    """The columns were fewer once."""
    content = (
        "email,active_subscription,expiry,email_disabled,created_at\nann@example.org,,,false,2018-08-29\n"
    )
    one = person(write(tmp_path / "signup_emails.csv", content))
    assert (standing(one), open_export(tmp_path / "signup_emails.csv").tool) == ({"": "active"}, "substack")


def test_the_table_of_substacks_dashboard_is_refused(tmp_path: Path) -> None:
    """It does not say who turned mail off; the error says what does."""
    content = "Email,Name,Stripe plan,Cancel date,Start date,Type\nann@example.org,Ann,,,2024-01-01,Free\n"
    with pytest.raises(CsvError, match=r"does not say who turned mail off; .* email_list"):
        read(write(tmp_path / "subscriber_details.csv", content))
    assert len(read(tmp_path / "subscriber_details.csv", tool="csv")[0]) == 1


def test_ghosts_members(tmp_path: Path) -> None:
    """Who is not subscribed to emails, or is deleted, has left; labels are lists."""
    path = write(
        tmp_path / "members.2026-11-01.csv",
        GHOST + '1,ann@example.org,Sam Memberino,Early,true,false,,2019-10-30T14:52:08.000Z,,"VIP,gold",\r\n'
        "2,bo@example.org,'=Bo,,false,true,cus_1,2019-10-30T14:52:08.000Z,,VIP,Gold\r\n"
        "3,cy@example.org,,,true,,,2019-10-30T14:52:08.000Z,2020-01-01T00:00:00.000Z,,\r\n"
        "4,di@example.org,,,,,,2019-10-30T14:52:08.000Z,,,",
    )
    people, bad = read(path)
    assert [(one.name, standing(one)) for one in people] == [
        ("Sam Memberino", {"": "active", "VIP": "active", "gold": "active"}),
        ("=Bo", {"": "left", "VIP": "left"}),
        (None, {"": "left"}),
    ]
    assert [row.line for row in bad] == [5]
    assert open_export(path).tool == "ghost"


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        ("regular", "active", None),
        ("premium", "active", None),
        ("gifted", "active", None),
        ("Past due", "active", None),
        ("churning", "active", None),
        ("unactivated", "pending", None),
        ("unpaid", "pending", None),
        ("unsubscribed", "left", None),
        ("removed", "left", None),
        ("blocked", "left", None),
        ("spammy", "left", None),
        ("undeliverable", "left", SuppressionReason.BOUNCED),
        ("complained", "left", SuppressionReason.COMPLAINED),
    ],
)
def test_buttondowns_types(tmp_path: Path, kind: str, state: str, reason: SuppressionReason | None) -> None:
    """Each type of subscriber that it documents has its state here."""
    row = f'ann@example.org,,"{{""name"": ""Ann""}}","a,b",2022-01-01T00:00:00Z,{kind},,192.0.2.1,organic\n'
    one = person(write(tmp_path / "subscribers.csv", BUTTONDOWN + row))
    assert (standing(one), one.suppress) == ({"": state, "a": state, "b": state}, reason)
    assert one.name == "Ann"
    assert one.evidence == {"ip_address": "192.0.2.1", "source": "organic"}


def test_buttondowns_other_columns(tmp_path: Path) -> None:
    """Those of before and those of its dashboard; tags as JSON; metadata that is none; no such type."""
    old = "email,notes,metadata,tags,referrer_url,creation_date,subscriber_type\n"
    content = old + 'ann@example.org,,oops,"[""a"", ""b c""]",,2022-01-01,regular\nbo@example.org,,,,,,vip\n'
    people, bad = read(write(tmp_path / "a.csv", content))
    assert [standing(one) for one in people] == [{"": "active", "a": "active", "b c": "active"}]
    assert [row.problem for row in bad] == ["'vip' is no type of subscriber that Buttondown has"]
    table = "Email,Tags,Status,Subscription date,Unsubscription date\n"
    one = person(write(tmp_path / "b.csv", table + "ann@example.org,,Unsubscribed,2022-01-01,2023-01-01\n"))
    assert one.memberships[0].since == datetime(2023, 1, 1, tzinfo=UTC)
    assert open_export(tmp_path / "b.csv").tool == "buttondown"


def test_mailmans_members(tmp_path: Path) -> None:
    """Names with commas, accents as in a mail's header, and bare addresses; each file is a list."""
    (tmp_path / "lists").mkdir()
    write(
        tmp_path / "lists" / "ant.example.com.txt",
        'Anne Person <anne@example.com>\nbart@example.com\n"Lee, Ann \\"Q\\"" <ann@example.org>\n'
        "=?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.org>\n=?klingon?q?x?= <x@example.org>\n"
        "nobody <at all>\n",
    )
    write(tmp_path / "lists" / "bee.example.com.txt", "bart@example.com\n")
    export = open_export(tmp_path / "lists")
    rows = list(export.rows())
    assert export.tool == "mailman"
    assert "who turned delivery off" in export.caveat
    people = [row for row in rows if isinstance(row, Newcomer)]
    assert [one.name for one in people[:4]] == ["Anne Person", None, 'Lee, Ann "Q"', "Jürgen Müller"]
    assert standing(people[0]) == {"ant.example.com": "active"}
    assert standing(people[-1]) == {"bee.example.com": "active"}
    assert [row.line for row in rows if isinstance(row, BadRow)] == [6]


def test_mailmans_roster(tmp_path: Path) -> None:
    """Who turned delivery off is paused, who bounced is suppressed; owners and moderators are no readers."""
    entry = {
        "email": "anne@example.com",
        "display_name": "Anne",
        "list_id": "ant.example.com",
        "role": "member",
    }
    states = ("enabled", "by_user", "by_bounces", "by_moderator", "unknown", "gone", "")
    entries: list[object] = [entry | {"delivery_status": one} for one in states]
    entries += [entry | {"role": "owner", "delivery_status": "enabled"}, 7]
    content = json.dumps({"start": 0, "total_size": 8, "http_etag": "x", "entries": entries}, indent=4)
    people, bad = read(write(tmp_path / "roster.json", content))
    assert [standing(one).get("ant.example.com") for one in people] == [
        *("active", "paused", "left", "left", "paused"),
        None,
    ]
    assert people[2].suppress is SuppressionReason.BOUNCED
    assert [row.line for row in bad] == [6, 7, 9]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"data": {"results": [', "entry 1: is no JSON from here on"),
        ('{"data": {"results": []}}', "is JSON, but no answer of an API"),
        ('{"results": [{"email": "ann@example.org"}]}', "is JSON, but no answer of an API"),
        ('{"message": "invalid token"}', "is JSON without a list of people"),
        ("[" * 100_000, "entry 1: is no JSON"),
        ('[{"a": "' + "x" * 2_000_000, "entry 1: is no JSON"),
        (listmonk_json(listmonk_subscriber())[:-60] + "oops", "is no JSON from here on"),
    ],
    ids=lambda value: value[:20],
)
def test_json_that_is_none(tmp_path: Path, content: str, told: str) -> None:
    """Each is one error with the number of the entry."""
    with pytest.raises(CsvError, match=told):
        read(write(tmp_path / "x.json", content))


def test_a_damaged_first_entry_is_a_bad_row(tmp_path: Path) -> None:
    """Whose answer it is, the others tell."""
    entry = {"uuid": "x", "email": "ann@example.org", "name": "Ann", "status": "enabled", "lists": []}
    content = json.dumps({"data": {"results": ["torn", entry]}})
    found, bad = read(write(tmp_path / "subscribers.json", content))
    assert [one.address.given for one in found] == ["ann@example.org"]
    assert [(one.line, one.problem) for one in bad] == [(1, "is no object")]


def test_long_json_is_read_entry_by_entry(tmp_path: Path) -> None:
    """Entries that lie across the blocks a file is read in are whole."""
    subscribers = [
        listmonk_subscriber(email=f"r{number}@example.org", name="Ä" * (number % 300))
        for number in range(700)
    ]
    people, bad = read(
        write(tmp_path / "x.json", json.dumps({"data": {"results": subscribers}}, ensure_ascii=False))
    )
    assert ([one.address.given for one in people], bad) == (
        [f"r{number}@example.org" for number in range(700)],
        [],
    )
    assert [one.line for one in people] == list(range(1, 701))


def page(addresses: Sequence[str], **said: object) -> str:
    """What listmonk answers with."""
    found = [
        {"uuid": "u", "email": one, "name": "", "status": "enabled", "lists": [], "attribs": {"[]}": "{"}}
        for one in addresses
    ]
    return json.dumps({"data": {"results": found, "query": '"]}', **said}})


def test_all_pages_of_an_answer_may_stand_in_one_file(tmp_path: Path) -> None:
    """One behind the other, with or without a line between them, whatever stands around the entries."""
    pages = [page([f"r{n}-{m}@example.org" for n in range(400)], page=m, total=800) for m in (1, 2)]
    for between in ("", "\n", "\r\n \ufeff"):
        people, bad = read(write(tmp_path / "x.json", between.join(pages)))
        assert (len({one.address for one in people}), bad) == (800, [])
        assert [one.line for one in people] == list(range(1, 801))


@pytest.mark.parametrize("key", ["total", "total_size"])
def test_a_page_that_is_not_all_is_refused(tmp_path: Path, key: str) -> None:
    """Who is on the other pages would be lost without a word: the answer itself says how many there are."""
    with pytest.raises(CsvError, match="says itself that there are 5,000, but holds 20: ask for all"):
        read(write(tmp_path / "x.json", page([f"r{n}@example.org" for n in range(20)], **{key: 5000})))


def test_what_follows_an_answer_is_not_passed_over(tmp_path: Path) -> None:
    """A file that goes on as something else is damaged."""
    for rest in ("oops", '{"a": 1}', "}"):
        with pytest.raises(CsvError, match="is no JSON behind entry 1"):
            read(write(tmp_path / "x.json", page(["ann@example.org"]) + rest))
    with pytest.raises(CsvError, match="what is behind the last entry: is no JSON from here on"):
        read(write(tmp_path / "x.json", page(["ann@example.org"])[:-1]))


@pytest.mark.parametrize(
    ("content", "suppressed"),
    [
        (SUBSTACK + "{address},true,,,{state},2024-01-01,\n", ("true", "1", "yes")),
        (GHOST + "1,{address},,,{state},,,,,,\n", ("false", "no")),
        (BUTTONDOWN + "{address},,,,2022-01-01,{state},,,\n", ("unsubscribed", "removed", "undeliverable")),
        ("email,category,state\n{address},news,{state}\n", ("left", "pending", "paused")),
        ("email,status\n{address},{state}\n", ("unsubscribed", "bounced", "blocked", "pending")),
    ],
    ids=lambda value: str(value)[:12],
)
def test_who_is_not_written_to_there_is_active_nowhere(
    tmp_path: Path, content: str, suppressed: tuple[str, ...]
) -> None:
    """Of every tool, whatever their name and address."""
    for state in suppressed:
        for address in ("ann@example.org", "Åsa <åsa@bücher.example>"):
            one = person(write(tmp_path / "x.csv", content.format(address=address, state=state)))
            assert SubscriptionState.ACTIVE not in {held.state for held in one.memberships}


def test_a_tool_may_be_named(tmp_path: Path) -> None:
    """Whose file it is not is said; who is no tool here, too; columns are only given for any CSV."""
    path = write(tmp_path / "x.csv", "email,name\nann@example.org,Ann\n")
    with pytest.raises(
        CsvError, match=r":1: is none of ghost's, by its columns \(email, name\); leave --from out"
    ):
        read(path, tool="ghost")
    with pytest.raises(
        CsvError, match="'phplist' is no tool whose files are known here; there are paperround"
    ):
        read(path, tool="phplist")
    write(path, GHOST + "1,ann@example.org,,,true,,,,,,\n")
    with pytest.raises(CsvError, match="is ghost's, of known columns"):
        read(path, columns=[("name", "note")])
    assert person(path, tool="csv", columns=[("name", "note")]).address.given == "ann@example.org"
    assert set(TOOLS) >= {
        "listmonk",
        "mailchimp",
        "substack",
        "ghost",
        "buttondown",
        "mailman",
        "paperround",
        "csv",
    }


def test_the_same_person_may_come_twice(tmp_path: Path) -> None:
    """Rows are told as they stand: who merges them knows what is here already."""
    people, bad = read(write(tmp_path / "x.csv", "email\nann@example.org\nANN@example.org\n"))
    assert [one.address.key for one in people] == ["ann@example.org"] * 2
    assert bad == []
