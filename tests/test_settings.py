"""paperround.toml and the environment: what is overridden, what is refused and where it is said to be."""

import os
import re
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

import newsletter.settings
from newsletter.errors import SettingsError
from newsletter.settings import RelaySection, Settings
from newsletter.settings_file import FILE_NAME, find_site, load_settings, write_settings
from newsletter.site import make_site
from newsletter.states import PicturePolicy
from tests.conftest import GIVEN, Cli

SECRET = "Tr0ub4dor-and-3"
SITE = "\n".join(["[site]", *(f'{key} = "{value}"' for key, value in GIVEN.items())])
"""The shortest file there can be, of five lines."""
PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1).filter(str.strip)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new site's folder."""
    make_site(tmp_path / "site", GIVEN)
    return tmp_path / "site"


def write(folder: Path, text: str, *, name: str = FILE_NAME) -> None:
    """Put `text` in the place of a file of the site."""
    (folder / name).write_text(text, encoding="utf-8")


def changed(folder: Path, **values: str) -> dict[str, int]:
    """Give keys of the file other values, as TOML; returns the lines they stand at."""
    lines = (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()
    places = {}
    for key, value in values.items():
        place = next(n for n, line in enumerate(lines) if re.match(rf"{key} =", line))
        lines[place] = f"{key} = {value}"
        places[key] = place + 1
    write(folder, "\n".join(lines))
    return places


def refusal(folder: Path) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(folder)
    return str(refused.value)


def defaults() -> dict[str, dict[str, Any]]:
    """Every key there is, by section, with its default; what has none is left out."""
    sections = {}
    for section, its in Settings.model_fields.items():
        if section == "further_relays":  # there is none until somebody writes one
            continue
        fields = its.annotation.model_fields  # type: ignore[union-attr]  # a section's class
        sections[section] = {
            field.alias or name: field.default for name, field in fields.items() if not field.is_required()
        }
    return sections


def test_a_new_file_has_every_key_with_its_default_and_a_comment(folder: Path) -> None:
    """`init` writes each key once, below a comment, and each parses back to the default it has without it."""
    text = (folder / FILE_NAME).read_text(encoding="utf-8")
    written = tomllib.loads(text)
    for section, keys in defaults().items():
        for key, default in keys.items():
            plain = default.get_secret_value() if isinstance(default, SecretStr) else default
            assert (section, key, written[section].pop(key)) == (section, key, plain)
    assert written == {section: GIVEN if section == "site" else {} for section in defaults()}
    for before, line in zip(text.splitlines(), text.splitlines()[1:], strict=False):
        assert not re.match(r"\w+ =|\[", line) or before.startswith("# "), line
    loaded = load_settings(folder)
    write(folder, SITE)
    assert load_settings(folder) == loaded


RELAYS = """
[[further_relays]]
host = "one.example"
weight = 2

[[further_relays]]
host = "two.example"
port = 465
"""


def test_further_relays_are_tables_of_their_own(folder: Path) -> None:
    """Each has the keys and defaults of [relay]; all are named in the order of the file."""
    write(folder, SITE + RELAYS)
    relays = load_settings(folder).relays
    assert [(relay.name, relay.weight) for relay in relays] == [
        ("sandbox:587", 1),
        ("one.example:587", 2),
        ("two.example:465", 1),
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("port = 465", "port = 99999"),
        ("weight = 2", "weight = -1"),
        ('host = "one.example"', "hots = 1"),
    ],
)
def test_what_is_wrong_with_a_further_relay_is_named_with_its_line(
    folder: Path, wrong: str, said: str
) -> None:
    """The table, the key and the line; not the line of the same key in another table."""
    text = SITE + RELAYS.replace(wrong, said)
    write(folder, text)
    line = text.split("\n").index(said) + 1
    assert f"{FILE_NAME}:{line}: further_relays.{said.split(maxsplit=1)[0]}" in refusal(folder)


@pytest.mark.parametrize("text", ["[further_relays]\nport = 25\n", 'further_relays = "one"\n'])
def test_further_relays_that_are_no_list_are_refused(folder: Path, text: str) -> None:
    """One pair of brackets is a likely slip."""
    write(folder, (text + SITE) if "=" in text.split("\n", maxsplit=1)[0] else (SITE + text))
    assert "further_relays" in refusal(folder)


@given(name=PRINTABLE, address=PRINTABLE)
def test_any_text_survives_the_file(name: str, address: str) -> None:
    """Names in every script, with quotes, backslashes and what else one may type, are read as they were."""
    site = tomllib.loads(write_settings(GIVEN | {"name": name, "postal_address": address}))["site"]
    assert (site["name"], site["postal_address"]) == (name, address)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("name", '""', "site.name must not be empty"),
        ("name", "7", "site.name: input should be a valid string"),
        ("name", '"two\\nlines"', "site.name has a line break"),
        ("from", '"Ann"', "site.from 'Ann' is not an email address"),
        ("from", '"a@b.example, c@d.example"', "is not"),
        ("reply_to", '"nobody"', "site.reply_to 'nobody' is not an email address"),
        ("editor", '"Ed <ed@example.org>"', "site.editor"),
        ("base_url", '"http://news.example.org"', "site.base_url must begin with https://"),
        ("base_url", '"https://news.example.org:port"', "site.base_url is not a web address"),
        ("base_url", '"https://[::1"', "site.base_url is not a web address"),
        ("blog_url", '"news.example.org"', "site.blog_url is not a web address"),
        ("blog_url", '"https://dé.example"', "site.blog_url must be ASCII"),
        ("listen", '"8025"', "site.listen is not HOST:PORT"),
        ("listen", '"127.0.0.1:99999"', "site.listen is not HOST:PORT"),
        ("language", '"English"', "site.language is not a language tag"),
        ("url", '"mysql://x/y"', "database.url must begin with sqlite:/// or postgresql://"),
        ("url", '"sqlite:///"', "database.url names no file"),
        ("url", '"postgresql://u:p@ss@host/x"', "@ is written %40"),
        ("url", '"postgresql://u:p/ss@host/x"', "/ is %2F"),
        ("url", '"postgresql://u@[::1/x"', "database.url is not postgresql://"),
        ("port", '"587"', "relay.port: input should be a valid integer"),
        ("port", "true", "relay.port: input should be a valid integer"),
        ("port", "0", "relay.port: input should be greater than or equal to 1"),
        ("tls", '"ssl"', "relay.tls: input should be 'auto', 'starttls', 'implicit' or 'none'"),
        ("connections", "201", "relay.connections: input should be less than or equal to 200"),
        ("cadence", '"sometimes"', "categories.cadence 'sometimes' has none of the known forms"),
        ("timezone", '"Europe/Berln"', "did you mean Europe/Berlin"),
        ("mode", '"both"', "categories.mode: input should be 'broadcast' or 'sequence'"),
        ("require_permission", '"yes"', "site.require_permission: input should be a valid boolean"),
        ("require_permission", "1", "site.require_permission: input should be a valid boolean"),
        ("approval", '"yes"', "queue.approval: input should be a valid boolean"),
        ("policy", '"attach"', "images.policy: input should be 'link', 'host' or 'embed'"),
        ("in_doubt", '"drop"', "delivery.in_doubt: input should be 'resend' or 'hold'"),
        ("expire_after_hours", "0.5", "delivery.expire_after_hours: input should be a valid integer"),
        ("catch_up_hours", "-1", "delivery.catch_up_hours: input should be greater than or equal to 0"),
        ("per_minute", "1000001", "delivery.per_minute: input should be less than or equal to 1000000"),
        (
            "domain_per_minute",
            '{ "a.example" = 1000001 }',
            "delivery.domain_per_minute: input should be less than or equal to 1000000",
        ),
        ("domain_per_minute", '{ "a b" = 1 }', "delivery.domain_per_minute is not a domain: 'a b'"),
        ("domain_per_minute", "5", "delivery.domain_per_minute must be a table"),
        (
            "domain_per_minute",
            '{ "Example.org" = 1, "example.org" = 2 }',
            "delivery.domain_per_minute names example.org in more than one spelling",
        ),
        (
            "domain_per_minute",
            '{ "bücher.example" = 1, "xn--bcher-kva.example" = 1 }',
            "delivery.domain_per_minute names xn--bcher-kva.example in more than one spelling",
        ),
    ],
)
def test_what_a_key_cannot_be_is_named_with_its_line(folder: Path, key: str, value: str, said: str) -> None:
    """A value of the wrong type, or one that cannot be, is one sentence with file and line."""
    line = changed(folder, **{key: value})[key]
    message = refusal(folder)
    assert message.startswith(f"{folder / FILE_NAME}:{line}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[site\n", 1, "is not TOML: "),
        ('[site]\nname = "x\n', 2, "is not TOML: "),
        ('[site]\nname = "x"\nname = "y"\n', 3, "is not TOML: "),
        ("x = '''", 1, "is not TOML: "),
        ("", None, "[site] is missing"),
        ("{site}\n[relay]\nhots = 1\n", 7, "relay.hots is not a setting; known in [relay]: host, port"),
        ("{site}\nrelay.hots = 1\n", 6, "site.relay is not a setting"),
        ("relay.hots = 1\n{site}\n", 1, "relay.hots is not a setting"),
        ("relay = { hots = 1 }\n{site}\n", 1, "relay.hots is not a setting"),
        ("relay = 1\n{site}\n", 1, "[relay] must be a section of its own"),
        ("{site}\n[[relay]]\nhost = 'x'\n", 6, "[relay] must be a section of its own"),
        ("{site}\n[rely]\nhost = 'x'\n", 6, "[rely] is not a section of settings; known: [site], [database]"),
        ("{site}\nsender = 'x@y.example'\n", 6, "site.sender is not a setting"),
        ("[site]\nname = 'x'\nfrom = 'x@y.example'\npostal_address = 'z'\n", 1, "site.base_url is missing"),
    ],
)
def test_what_is_no_settings_file_is_named_with_its_line(
    folder: Path, text: str, line: int | None, said: str
) -> None:
    """Broken TOML, unknown sections and keys, and what is missing: each with file and line."""
    write(folder, text.replace("{site}", SITE))
    message = refusal(folder)
    place = folder / FILE_NAME if line is None else f"{folder / FILE_NAME}:{line}"
    assert message.startswith(f"{place}: ")
    assert said in message
    assert "\n" not in message


def test_everything_wrong_is_said_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three mistakes, in the file and in the environment, are three lines: nobody mends them one by one."""
    places = changed(folder, base_url='"nowhere"', connections="0")
    monkeypatch.setenv("PAPERROUND_RELAY__PORT", "many")
    assert [line.split(": ")[0] for line in refusal(folder).splitlines()] == [
        f"{folder / FILE_NAME}:{places['base_url']}",
        "environment variable PAPERROUND_RELAY__PORT",
        f"{folder / FILE_NAME}:{places['connections']}",
    ]


@given(st.binary(max_size=200) | st.text("[]{}=.\"'\n#xsite 019é", max_size=60).map(str.encode))
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever bytes the file has, its settings are read or refused with its name."""
    folder = tmp_path_factory.mktemp("site")
    (folder / FILE_NAME).write_bytes(data)
    assert refusal(folder).startswith(str(folder / FILE_NAME))


def test_files_as_other_systems_write_them(folder: Path) -> None:
    """A byte order mark and CRLF are read; another encoding, and a deep nest, is named."""
    path = folder / FILE_NAME
    loaded, text = load_settings(folder), path.read_text(encoding="utf-8")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_settings(folder) == loaded
    path.write_bytes(b"[site]\nname = 'caf\xe9'\n")
    assert refusal(folder) == f"{path}:2: is not UTF-8; save it as UTF-8"
    write(folder, "x = " + "[" * 100_000)
    assert "is not TOML" in refusal(folder)
    write(folder, "x = " + "9" * 5000)
    assert "a number has thousands of digits" in refusal(folder)


@pytest.mark.parametrize(
    ("variable", "value", "section", "key", "meant"),
    [
        ("PAPERROUND_RELAY__HOST", "mail.example.org", "relay", "host", "mail.example.org"),
        ("paperround_relay__host", "mail.example.org", "relay", "host", "mail.example.org"),
        ("PAPERROUND_RELAY__PORT", "2525", "relay", "port", 2525),
        ("PAPERROUND_RELAY__PASSWORD", "12345", "relay", "password", SecretStr("12345")),
        ("PAPERROUND_SITE__FROM", "Bo <bo@example.org>", "site", "sender", "Bo <bo@example.org>"),
        ("PAPERROUND_SITE__NAME", '{"a": 1}', "site", "name", '{"a": 1}'),
        ("PAPERROUND_SITE__REPLY_TO", "bo@example.org", "site", "reply_to", "bo@example.org"),
        ("PAPERROUND_CATEGORIES__MODE", "sequence", "categories", "mode", "sequence"),
        ("PAPERROUND_SITE__REQUIRE_PERMISSION", "true", "site", "require_permission", True),
        ("PAPERROUND_SITE__REQUIRE_PERMISSION", "false", "site", "require_permission", False),
        ("PAPERROUND_QUEUE__APPROVAL", "true", "queue", "approval", True),
        ("PAPERROUND_IMAGES__POLICY", "embed", "images", "policy", PicturePolicy.EMBED),
        ("PAPERROUND_DELIVERY__CATCH_UP_HOURS", "0", "delivery", "catch_up_hours", 0),
        (
            "PAPERROUND_DELIVERY__DOMAIN_PER_MINUTE",
            '{ "Gmail.com" = 600, "bücher.example" = 1, "*" = 3000 }',
            "delivery",
            "domain_per_minute",
            {"gmail.com": 600, "xn--bcher-kva.example": 1, "*": 3000},
        ),
        ("PAPERROUND_DELIVERY__DOMAIN_PER_MINUTE", "{}", "delivery", "domain_per_minute", {}),
    ],
)
def test_the_environment_overrides_the_file(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    section: str,
    key: str,
    meant: Any,
) -> None:
    """`PAPERROUND_`, the section, two underscores and the key: the value is taken as it is written."""
    monkeypatch.setenv(variable, value)
    assert getattr(getattr(load_settings(folder), section), key) == meant


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PAPERROUND_RELAY__HOTS", "x", "relay.hots is not a setting; known in [relay]: host"),
        ("PAPERROUND_RELAY__HOST__X", "x", "relay.host__x is not a setting"),
        ("PAPERROUND_RELY__HOST", "x", "[rely] is not a section of settings"),
        ("PAPERROUND_RELAY__PORT", "many", "relay.port: input should be a valid integer"),
        ("PAPERROUND_RELAY__PORT", "70000", "relay.port: input should be less than"),
        ("PAPERROUND_RELAY__PORT", "9" * 20, "relay.port: input should be less than or equal to 65535"),
        (
            "PAPERROUND_DELIVERY__DOMAIN_PER_MINUTE",
            "gmail.com=600",
            'delivery.domain_per_minute must be a table, written as { "KEY" = VALUE, … }',
        ),
        (
            "PAPERROUND_DELIVERY__DOMAIN_PER_MINUTE",
            "[" * 100_000,
            "delivery.domain_per_minute must be a table",
        ),
        (
            "PAPERROUND_DELIVERY__DOMAIN_PER_MINUTE",
            '{ "gmail.com" = 0 }',
            "delivery.domain_per_minute: input should be greater than or equal to 1",
        ),
        ("PAPERROUND_SITE__NAME", "", "site.name must not be empty"),
        ("PAPERROUND_SITE__SENDER", "x@y.example", "site.sender is not a setting"),
        ("PAPERROUND_CATEGORIES__TIMEZONE", "Mars/Base", "categories.timezone 'Mars/Base'"),
    ],
)
def test_what_a_variable_cannot_be_is_named_with_the_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """A variable that is no setting, or has an impossible value, is named itself and not the file."""
    monkeypatch.setenv(variable, value)
    message = refusal(folder)
    assert message.startswith(f"environment variable {variable}: {said}")
    assert "\n" not in message


def test_other_variables_are_nobody_s_business(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names without `__`, as Kubernetes makes them for a service of our name, change and break nothing."""
    loaded = load_settings(folder)
    monkeypatch.setenv("PAPERROUND_PORT", "tcp://10.0.0.1:8025")
    monkeypatch.setenv("PAPERROUND_RELAY", "{broken")
    assert load_settings(folder) == loaded


@given(st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=20))
def test_secrets_never_show(tmp_path_factory: pytest.TempPathFactory, secret: str) -> None:
    """Neither repr nor str of the settings has a password in it, of the relay or of the database."""
    folder = tmp_path_factory.mktemp("secrets") / "site"
    secret = f"s3cret{secret}"
    make_site(folder, GIVEN)
    changed(folder, password=f'"{secret}"', url=f'"postgresql://me:{secret}@db.example.org/letters"')
    settings = load_settings(folder)
    assert settings.relay.login_password() == secret
    assert secret in settings.database_url
    for shown in (repr(settings), str(settings), repr(settings.relay), str(settings.database)):
        assert secret not in shown


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password", f'["{SECRET}"]'),
        ("password", f'"{SECRET}'),
        ("url", f'"postgresql://me:{SECRET}@db:{SECRET}/x"'),
        ("url", f'"postgres://me:{SECRET}@db/x"'),
        ("url", f'"postgresql://me:x@{SECRET}@db/x"'),
        ("url", f'["postgresql://me:{SECRET}@db/x"]'),
        ("url", f'"postgresql://me:{SECRET}@127.0.0.1:1/x"'),
        ("url", f'"postgresql://127.0.0.1:1/x?user=me&password={SECRET}"'),
    ],
)
def test_errors_keep_secrets(folder: Path, cli: Cli, key: str, value: str) -> None:
    """Whatever is wrong with a password or its URL, or with what it opens, no message quotes it."""
    changed(folder, **{key: value})
    done = cli("--site", folder, "queue", "list")
    assert done.returncode == 1
    assert done.stderr.startswith("paperround: ")
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_complaint_about_a_secret_does_not_quote_it() -> None:
    """What pydantic itself says of a password of the wrong type leaves it out."""
    with pytest.raises(ValidationError) as refused:
        RelaySection.model_validate({"password": [SECRET]})
    assert SECRET not in f"{refused.value!r} {refused.value}"


def test_help_knows_no_secrets(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--help` shows no value from the environment."""
    monkeypatch.setenv("PAPERROUND_RELAY__PASSWORD", SECRET)
    for command in ((), ("run",), ("tick",), ("init",)):
        done = cli(*command, "--help")
        assert done.returncode == 0
        assert SECRET not in done.stdout + done.stderr


def command_of(code: str) -> str:
    """A `password_command`, as TOML, that runs a line of Python."""
    return f"""'''{sys.executable} -c "{code}"'''"""


def test_the_password_command_gives_the_password(folder: Path) -> None:
    """What the command prints is the password, less the line end; one that is in the file comes first."""
    changed(folder, password_command=command_of(f"print('{SECRET} ')"))
    assert load_settings(folder).relay.login_password() == f"{SECRET} "
    changed(folder, password='"mine"')
    assert load_settings(folder).relay.login_password() == "mine"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (command_of(f"import sys; print('{SECRET}'); sys.exit('{SECRET}')"), "exit status 1"),
        (command_of(f"import time; print('{SECRET}', flush=True); time.sleep(60)"), "it took longer than"),
        (command_of(f"import sys; sys.stdout.buffer.write(b'{SECRET}\\xff')"), "not text"),
        ('"no-such-program --now"', "no-such-program: No such file or directory"),
        ('"unclosed \'quote"', "quotes closed"),
    ],
)
def test_a_password_command_that_fails_says_so_and_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    """A command that fails, hangs or is not there is named; what it printed is not, not even in a cause."""
    monkeypatch.setattr(newsletter.settings, "_PASSWORD_SECONDS", 0.5)
    changed(folder, password_command=command)
    with pytest.raises(SettingsError, match=r"password_command of \S+:587 in \[relay\] failed: ") as failed:
        load_settings(folder).relay.login_password()
    assert said in str(failed.value)
    assert SECRET not in str(failed.value)
    assert failed.value.__cause__ is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda path: (path.unlink(), os.mkfifo(path, 0o600)),
            "the secret key cannot be read (not a regular file); restore",
        ),
        (lambda path: path.unlink(), "the secret key cannot be read (No such file or directory); restore"),
        (lambda path: path.write_text("short"), "the secret key is shorter than 32 characters"),
        (lambda path: path.write_text("é" * 40, encoding="utf-8"), "cannot be read (it is not ASCII)"),
        (lambda path: path.chmod(0o644), "can be read by others: chmod 600"),
    ],
)
def test_a_spoilt_secret_key_is_refused(folder: Path, spoil: Any, said: str) -> None:
    """A key that is missing, short, damaged or open to others is named with its file and what to do."""
    path = folder / "secret.key"
    key = path.read_text(encoding="ascii").strip()
    assert load_settings(folder).secret_key() == key.encode()
    spoil(path)
    with pytest.raises(SettingsError, match=re.escape(said)) as refused:
        load_settings(folder).secret_key()
    assert str(refused.value).startswith(f"{path}: ")
    assert key not in str(refused.value)


def test_relative_paths_begin_at_the_site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Database, sandbox, pictures and key lie in the site's folder, wherever the command is typed."""
    monkeypatch.chdir("/")
    settings = load_settings(folder)
    assert settings.database_url == f"sqlite:///{folder / 'paperround.db'}"
    assert settings.sandbox_folder == folder / "sandbox"
    assert settings.media_folder == folder / "media"
    changed(folder, url='"sqlite:////var/lib/letters.db"')
    assert load_settings(folder).database_url == "sqlite:////var/lib/letters.db"


def test_a_site_is_found_upwards(folder: Path, tmp_path: Path) -> None:
    """The nearest folder with a paperround.toml, from here upwards; none is an error that says what to do."""
    inside = folder / "posts" / "drafts"
    inside.mkdir()
    assert find_site(inside) == folder.resolve()
    with pytest.raises(SettingsError, match="paperround init DIR"):
        find_site(tmp_path)


def test_the_files_of_a_site_are_for_whom_they_should_be(folder: Path) -> None:
    """The key is for its owner alone."""
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600


def test_a_return_path_has_room_for_its_token(folder: Path) -> None:
    """RFC 5321 §4.5.3.1.1 allows 64 characters before the @; what leaves too few for a token is refused."""
    changed(folder, inbound_address=f'"{"a" * 20}@example.org"')
    load_settings(folder)
    changed(folder, inbound_address=f'"{"a" * 21}@example.org"')
    assert "needs a bounce_address with at most 20 characters before its @" in refusal(folder)
    changed(folder, bounce_address='"bounces@example.org"')
    load_settings(folder)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("INBOUND__LISTEN", "lmtp.sock", "inbound.listen is neither HOST:PORT, .*, nor unix:SOCKET"),
        ("INBOUND__LISTEN", "127.0.0.1:99999", "inbound.listen is neither HOST:PORT"),
        ("INBOUND__LISTEN", "unix:", "inbound.listen names no socket"),
        ("INBOUND__LISTEN", "unix:/" + "ü" * 60, "inbound.listen names a socket with more than 100 bytes"),
        ("INBOUND__PROTOCOL", "uucp", "inbound.protocol: input should be 'lmtp' or 'smtp'"),
        ("INBOUND__MAX_MESSAGE_BYTES", "10", "inbound.max_message_bytes: input should be greater than"),
        ("IMAP__HOST", "imap.example.org", r"\[imap\] names a host and no user"),
        ("IMAP__FOLDER", "", "imap.folder must not be empty"),
    ],
)
def test_ways_for_mail_to_come_in_that_are_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """Each is named with its key, and what it might be."""
    monkeypatch.setenv(f"PAPERROUND_{variable}", value)
    assert re.search(said, refusal(folder))


@pytest.mark.parametrize("listen", ["", "127.0.0.1:8024", "[::1]:8024", "unix:/run/paperround/lmtp.sock"])
def test_ways_for_mail_to_come_in(folder: Path, monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    """None, a port, a socket's file."""
    monkeypatch.setenv("PAPERROUND_INBOUND__LISTEN", listen)
    assert load_settings(folder).inbound.listen == listen
