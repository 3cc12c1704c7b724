"""paperround.toml and the environment, as typed settings.

Every key, its default and its comment stand once, in the classes below; `paperround init` writes the
file from them. An environment variable such as `PAPERROUND_RELAY__HOST` overrides `host` in `[relay]`.
What is wrong is named with file and line, or with the variable. Secrets never show in a repr.
"""

import ipaddress
import os
import re
import shlex
import subprocess
import textwrap
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from newsletter.errors import CadenceError, SettingsError
from newsletter.render.headers import Mailbox, parse_mailbox
from newsletter.schedule.cadence import parse_cadence, parse_zone
from newsletter.states import Mode
from subscribers.address import AddressError, parse_address

FILE_NAME = "paperround.toml"
_PREFIX = "PAPERROUND_"


def _no_control(value: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise ValueError("has a line break or control character in it")
    return value.strip()


def _required(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _mailbox(value: str) -> str:
    if value:
        try:
            parse_mailbox(value)
        except AddressError as error:
            raise ValueError(str(error)) from error
    return value


def _bare_address(value: str) -> str:
    if value:
        try:
            parse_address(value)
        except AddressError as error:
            raise ValueError(str(error)) from error
    return value


def _web_url(value: str) -> str:
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not a web address like https://news.example.org")
    if not value.isascii():
        raise ValueError("must be ASCII: write the host as xn--… and escape the path")
    return value.rstrip("/")


def _served_url(value: str) -> str:
    if value.startswith("http://") and not is_loopback(urlsplit(value).hostname or ""):
        raise ValueError("must begin with https:// (RFC 8058); http:// is for trials on this machine")
    return value


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError("is not HOST:PORT, such as 127.0.0.1:8025")
    return value


def _cadence(value: str) -> str:
    try:
        return str(parse_cadence(value))
    except CadenceError as error:
        raise ValueError(str(error)) from error


def _zone(value: str) -> str:
    try:
        return parse_zone(value).key
    except CadenceError as error:
        raise ValueError(str(error)) from error


Line = Annotated[str, AfterValidator(_no_control)]
RequiredLine = Annotated[Line, AfterValidator(_required)]
MailboxText = Annotated[Line, AfterValidator(_mailbox)]
AddressText = Annotated[Line, AfterValidator(_bare_address)]
WebUrl = Annotated[Line, AfterValidator(_web_url)]


class TLSMode(StrEnum):
    """How the connection to the relay is protected."""

    AUTO = "auto"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SiteSection(_Section):
    """Who writes, and where readers find you."""

    name: RequiredLine = Field(description="The newsletter's name, as readers see it.")
    sender: Annotated[MailboxText, AfterValidator(_required)] = Field(
        alias="from", description="The From of every letter: one mailbox, such as Ann Lee <ann@example.org>."
    )
    reply_to: MailboxText = Field(default="", description="Where answers go. Empty: to the From address.")
    editor: AddressText = Field(
        default="",
        description="The editor's own address, for notices and List-Owner. Empty: the From address.",
    )
    base_url: Annotated[WebUrl, AfterValidator(_required), AfterValidator(_served_url)] = Field(
        description="Where `paperround run` is reached from outside; unsubscribe links begin with it."
    )
    blog_url: WebUrl = Field(
        default="",
        description="The blog the posts live on: /links and /images in posts begin with it. Empty: base_url.",
    )
    listen: Annotated[Line, AfterValidator(_listen)] = Field(
        default="127.0.0.1:8025", description="HOST:PORT where `paperround run` serves its pages."
    )
    postal_address: RequiredLine = Field(
        description="A postal address, shown in every letter because the law in many countries asks for it."
    )
    language: Annotated[Line, AfterValidator(_required)] = Field(
        default="en",
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="Language of posts that name none (BCP 47).",
    )
    secret_key_file: RequiredLine = Field(
        default="secret.key",
        description="The key that signs links. Keep it: without it links in old letters stop working.",
    )
    inbound_address: AddressText = Field(
        default="", description="Where readers' mail to the newsletter arrives. Empty: the From address."
    )
    bounce_address: AddressText = Field(
        default="",
        description="Where failure reports arrive; each letter's return path is this address with "
        "+bounce.TOKEN before the @. Empty: inbound_address.",
    )


class DatabaseSection(_Section):
    """Where everything is kept."""

    url: RequiredLine = Field(
        default="sqlite:///paperround.db",
        repr=False,
        description="sqlite:///FILE (relative to this folder) or postgresql://USER:PASSWORD@HOST/DATABASE.",
    )

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        return value


class RelaySection(_Section):
    """The SMTP server that takes the letters."""

    host: RequiredLine = Field(
        default="sandbox",
        description='Its host name. "sandbox" keeps letters as files in this folder and sends nothing.',
    )
    port: int = Field(default=587, ge=1, le=65535, description="587 as a rule, 465 with implicit TLS.")
    tls: TLSMode = Field(
        default=TLSMode.AUTO,
        description="auto (implicit on port 465, else STARTTLS, which only a relay on this machine may lack), "
        "starttls, implicit, or none.",
    )
    user: Line = Field(default="", description="Empty: no login.")
    password: SecretStr = Field(
        default=SecretStr(""), description="Better kept out of this file: see the next."
    )
    password_command: Line = Field(
        default="", description='A command that prints the password, such as "pass show relay".'
    )
    connections: int = Field(default=5, ge=1, le=200, description="Connections kept open at once.")

    @property
    def is_sandbox(self) -> bool:
        """Whether letters stay on this machine, as files."""
        return self.host == "sandbox"

    @property
    def is_trial(self) -> bool:
        """Whether this relay may be given letters with a made-up clock: the sandbox, or loopback."""
        return self.is_sandbox or is_loopback(self.host)

    def login_password(self) -> str:
        """The password, from the file, the environment or the command. Raises SettingsError."""
        if not self.password_command or self.password.get_secret_value():
            return self.password.get_secret_value()
        try:
            answer = subprocess.run(  # noqa: S603  # the operator's own command, from their own file
                shlex.split(self.password_command), capture_output=True, text=True, check=True, timeout=60
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise SettingsError(f"relay.password_command failed: {_without_output(error)}") from error
        return answer.stdout.rstrip("\r\n")


class SandboxSection(_Section):
    """Where the sandbox keeps what it is given."""

    folder: RequiredLine = Field(default="sandbox", description="A folder for its .eml files.")


class CategoriesSection(_Section):
    """What a new category has unless `category add` says otherwise."""

    cadence: Annotated[Line, AfterValidator(_cadence)] = Field(
        default="weekly tue 08:00",
        description='"weekly tue 08:00", "every 2 weeks tue 08:00", "monthly first mon 09:00", '
        '"daily 07:00", or five cron fields.',
    )
    timezone: Annotated[Line, AfterValidator(_zone)] = Field(
        default="UTC", description="The zone of its slots, such as Europe/Berlin."
    )
    mode: Mode = Field(
        default=Mode.BROADCAST,
        description="broadcast (everyone gets the next post) or sequence (each reader gets the first post "
        "they have not had).",
    )


class DeliverySection(_Section):
    """What happens to letters and slots that are late."""

    in_doubt: Literal["resend", "hold"] = Field(
        default="resend",
        description="After a crash, letters that may or may not have arrived: resend (perhaps twice, with the "
        "same Message-ID) or hold (perhaps not at all) until a person decides.",
    )
    expire_after_hours: int = Field(
        default=120, ge=1, le=24 * 30, description="How long a deferred letter is tried again."
    )
    catch_up_hours: int = Field(
        default=48,
        ge=0,
        le=24 * 30,
        description="A slot found this late, after downtime, still goes out; an older one is skipped.",
    )


class Settings(BaseSettings):
    """All settings of one site. `folder` is where its paperround.toml lies."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    site: SiteSection
    database: DatabaseSection = DatabaseSection()
    relay: RelaySection = RelaySection()
    sandbox: SandboxSection = SandboxSection()
    categories: CategoriesSection = CategoriesSection()
    delivery: DeliverySection = DeliverySection()

    _folder: Path = PrivateAttr(default=Path())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over the file, and nothing else."""
        return env_settings, init_settings

    @property
    def folder(self) -> Path:
        """The site's folder: relative paths in settings begin here."""
        return self._folder

    @property
    def sender(self) -> Mailbox:
        """The From mailbox."""
        return parse_mailbox(self.site.sender)

    @property
    def reply_to(self) -> Mailbox | None:
        """The Reply-To mailbox, if answers do not go to From."""
        return parse_mailbox(self.site.reply_to) if self.site.reply_to else None

    @property
    def list_domain(self) -> str:
        """The namespace of List-Id (RFC 2919 §3): the host readers know."""
        return urlsplit(self.site.base_url).hostname or self.sender.domain

    @property
    def inbound_address(self) -> str:
        """Where readers' mail arrives."""
        return self.site.inbound_address or self.sender.address

    @property
    def bounce_address(self) -> str:
        """The address failure reports come back to, before a token is put into it."""
        return self.site.bounce_address or self.inbound_address

    @property
    def editor_address(self) -> str:
        """Where the editor is reached."""
        return self.site.editor or self.sender.address

    @property
    def blog_url(self) -> str:
        """What site-absolute links in posts are joined to."""
        return self.site.blog_url or self.site.base_url

    @property
    def sandbox_folder(self) -> Path:
        """Where the sandbox keeps its letters."""
        return self.folder / self.sandbox.folder

    @property
    def database_url(self) -> str:
        """The database, with a relative SQLite path resolved against the site's folder."""
        url = self.database.url
        if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
            return f"sqlite:///{self.folder.resolve() / url.removeprefix('sqlite:///')}"
        return url

    def secret_key(self) -> bytes:
        """The key that signs tokens. Raises SettingsError if its file is missing, short, or open to others."""
        path = self.folder / self.site.secret_key_file
        try:
            key = path.read_text("ascii").strip()
            mode = path.stat().st_mode
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"the secret key cannot be read ({error}); restore it from a backup, or make a new one with "
                f"`paperround init` in an empty folder and copy its secret.key here (old links then stop working)",
                path=path,
            ) from error
        if len(key) < 32:
            raise SettingsError("the secret key is shorter than 32 characters", path=path)
        if mode & 0o077:
            raise SettingsError(f"the secret key can be read by others: chmod 600 {path}", path=path)
        return key.encode("ascii")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _without_output(error: Exception) -> str:
    """Describe a failed command without anything it printed: that may be the secret."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit status {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return "it took longer than 60 seconds"
    return str(error)


def find_site(start: Path) -> Path:
    """The nearest folder from `start` upwards that holds a paperround.toml. Raises SettingsError."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise SettingsError(
        f"no {FILE_NAME} in {start.resolve()} or above it; go to your site's folder, name it with "
        f"`paperround --site DIR …`, or make one with `paperround init DIR`"
    )


def _line_of(text: str, section: str, key: str | None) -> int | None:
    """The line of a key in our two-level TOML, or of its section, or None."""
    current: str | None = None
    section_line: int | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            current = header[1].strip("\"' ")
            if current == section:
                section_line = number
        elif current == section and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
        elif current is None and re.match(rf"\s*[\"']?{re.escape(section)}[\"']?\s*=", line):
            return number
    return section_line


def _explain(error: Mapping[str, Any], path: Path, text: str) -> SettingsError:
    """Turn pydantic's first complaint into one sentence with its place."""
    section, key = (*map(str, error["loc"]), "", "")[:2]
    name = f"{section}.{key}" if key else section
    variable = next(
        (v for v in os.environ if v.upper() == f"{_PREFIX}{section}__{key}".upper() and key), None
    )
    kind = error["type"]
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind == "missing":
        problem = f"{name} is missing" if key else f"the section [{section}] is missing"
    elif kind == "extra_forbidden":
        known = _known_keys(section if key else None)
        problem = f"{name} is not a setting; known here: {', '.join(known)}"
    elif kind == "value_error":
        problem = f"{name} {message}"
    else:
        problem = f"{name}: {message[:1].lower()}{message[1:]}"
    if variable:
        return SettingsError(f"environment variable {variable}: {problem}")
    return SettingsError(problem, path=path, line=_line_of(text, section, key or None))


def _section_class(section: str) -> type[_Section]:
    annotation = Settings.model_fields[section].annotation
    assert isinstance(annotation, type) and issubclass(annotation, _Section)  # noqa: S101, PT018  # by construction
    return annotation


def _known_keys(section: str | None) -> list[str]:
    if section is None:
        return [f"[{name}]" for name in Settings.model_fields]
    fields = _section_class(section).model_fields
    return [field.alias or name for name, field in fields.items()]


def load_settings(folder: Path) -> Settings:
    """Read a site's settings. Raises SettingsError with file and line, or the variable, of what is wrong."""
    path = folder / FILE_NAME
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"there is no {FILE_NAME} here; make a site with `paperround init {folder}`", path=folder
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot be read: {error}", path=path) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line (\d+)", str(error))
        message = re.sub(r" \(at .*\)$", "", str(error))
        raise SettingsError(
            f"is not TOML: {message}", path=path, line=int(line[1]) if line else len(text.splitlines())
        ) from error
    try:
        settings = Settings(**data)
    except ValidationError as error:
        raise _explain(error.errors(include_input=False)[0], path, text) from None
    settings._folder = folder.resolve()  # noqa: SLF001  # its own module
    return settings


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_settings(given: Mapping[str, object]) -> str:
    """The text of a complete, commented paperround.toml; `given` fills `[site]`, by the file's key names."""
    lines = [
        "# A Paperround site. Every key is here, with its default where it has one.",
        f"# An environment variable overrides a key: {_PREFIX}RELAY__HOST is host in [relay].",
    ]
    for section in Settings.model_fields:
        cls = _section_class(section)
        lines += ["", "", *_comment(cls.__doc__ or ""), f"[{section}]"]
        for name, field in cls.model_fields.items():
            key = field.alias or name
            value = given.get(key, field.default) if section == "site" else field.default
            lines += ["", *_comment(field.description or ""), f"{key} = {_toml_value(value)}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 96, break_on_hyphens=False)]
