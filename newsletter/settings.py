"""The settings of a site, typed.

Every key, its default and its comment stand once, in the classes below; `newsletter.settings_file` reads
and writes the file from them. Secrets never show in a repr or an error.
"""

import os
import shlex
import subprocess
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StrictBool,
    StrictInt,
    model_validator,
)

from newsletter.errors import SettingsError
from newsletter.files import open_regular
from newsletter.render.headers import Mailbox, parse_mailbox
from newsletter.settings_values import (
    MOST_PER_MINUTE,
    AddressText,
    CadenceText,
    DatabaseUrl,
    DomainRates,
    EntranceAddress,
    LanguageTag,
    Line,
    ListenAddress,
    MailboxText,
    Network,
    OptionalDomain,
    RequiredLine,
    RequiredMailbox,
    Selector,
    ServedUrl,
    WebUrl,
    ZoneName,
    is_loopback,
)
from newsletter.states import Mode, PicturePolicy
from subscribers.tokens import TOKEN_LENGTH

_PASSWORD_SECONDS = 60
"""How long `password_command` may take: long enough for a person to unlock a key."""
_LONGEST_RETURN_LOCAL = 64 - len("+bounce.") - TOKEN_LENGTH
"""Characters before the @ that leave room for a letter's token."""
_LONGEST_INBOUND_LOCAL = 64 - len("+confirm.") - TOKEN_LENGTH
"""The same for the token of a confirmation."""


class TLSMode(StrEnum):
    """How the connection to a mail server is protected."""

    AUTO = "auto"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


class Section(BaseModel):
    """One table of paperround.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SiteSection(Section):
    """Who writes, and where readers find you."""

    name: RequiredLine = Field(description="The newsletter's name, as readers see it.")
    sender: RequiredMailbox = Field(
        alias="from", description="The From of every letter: one mailbox, such as Ann Lee <ann@example.org>."
    )
    reply_to: MailboxText = Field(default="", description="Where answers go. Empty: to the From address.")
    editor: AddressText = Field(
        default="",
        description="The editor's own address, for notices and List-Owner. Empty: the From address.",
    )
    base_url: ServedUrl = Field(
        description="Where `paperround run` is reached from outside; unsubscribe links begin with it."
    )
    blog_url: WebUrl = Field(
        default="",
        description="The blog the posts live on: /links and /images in posts begin with it. Empty: base_url.",
    )
    listen: ListenAddress = Field(
        default="127.0.0.1:8025", description="HOST:PORT where `paperround run` serves its pages."
    )
    postal_address: RequiredLine = Field(
        description="A postal address, shown in every letter because the law in many countries asks for it."
    )
    language: LanguageTag = Field(
        default="en", description="Language of posts that name none: a tag of BCP 47, such as en or pt-BR."
    )
    require_permission: StrictBool = Field(
        default=False,
        description="Whether `check` asks for every speaker's recorded permission (`speakers:` in a post).",
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

    @model_validator(mode="after")
    def _room_for_tokens(self) -> Self:
        address = self.bounce_address or self.inbound_address or parse_mailbox(self.sender).address
        local = address.rpartition("@")[0]
        if len(local) > _LONGEST_RETURN_LOCAL:
            raise ValueError(
                f"needs a bounce_address with at most {_LONGEST_RETURN_LOCAL} characters before its @, not "
                f"{local!r}: a token is put behind them, and RFC 5321 §4.5.3.1.1 allows 64 in all"
            )
        return self


class DatabaseSection(Section):
    """Where everything is kept."""

    url: DatabaseUrl = Field(
        default="sqlite:///paperround.db",
        repr=False,
        description="sqlite:///FILE (relative to this folder) or postgresql://USER:PASSWORD@HOST/DATABASE.",
    )


class ServerSection(Section):
    """A mail server that we go to, and how we log in there."""

    table: ClassVar[str]
    """Where in paperround.toml it stands, for who has to mend it."""
    implicit_port: ClassVar[int]
    """The port on which TLS comes first, and no command before it."""

    host: Line
    port: StrictInt = Field(ge=1, le=65535)
    tls: TLSMode = TLSMode.AUTO
    user: Line = ""
    password: SecretStr = Field(
        default=SecretStr(""), description="Better kept out of this file: see the next."
    )
    password_command: Line = ""

    @property
    def name(self) -> str:
        """How the server is called in the ledger and in messages."""
        return f"{self.host}:{self.port}"

    @property
    def is_implicit_tls(self) -> bool:
        """Whether the connection begins with TLS, and no command comes before."""
        return self.tls is TLSMode.IMPLICIT or (self.tls is TLSMode.AUTO and self.port == self.implicit_port)

    @property
    def is_lenient(self) -> bool:
        """Whether it may lack STARTTLS, or a certificate of its name: on this machine, under `auto`."""
        return self.tls is TLSMode.AUTO and is_loopback(self.host)

    def login_password(self) -> str:
        """The password, from the file, the environment or the command. Raises SettingsError."""
        if not self.password_command or self.password.get_secret_value():
            return self.password.get_secret_value()
        try:
            answer = subprocess.run(  # noqa: S603  # the operator's own command, from their own file
                shlex.split(self.password_command),
                capture_output=True,
                text=True,
                check=True,
                timeout=_PASSWORD_SECONDS,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise SettingsError(
                f"password_command of {self.name} in {self.table} failed: {_without_output(error)}"
            ) from None
        return answer.stdout.rstrip("\r\n")


class RelaySection(ServerSection):
    """The SMTP server that takes the letters."""

    table: ClassVar[str] = "[relay]"
    implicit_port: ClassVar[int] = 465

    host: RequiredLine = Field(
        default="sandbox",
        description='Its host name. "sandbox" keeps letters as files in this folder and sends nothing.',
    )
    port: StrictInt = Field(default=587, ge=1, le=65535, description="587 as a rule, 465 with implicit TLS.")
    tls: TLSMode = Field(
        default=TLSMode.AUTO,
        description="auto (implicit on port 465, else STARTTLS, which only a relay on this machine may "
        "lack), starttls, implicit, or none.",
    )
    user: Line = Field(default="", description="Empty: no login.")
    password_command: Line = Field(
        default="", description='A command that prints the password, such as "pass show relay".'
    )
    connections: StrictInt = Field(
        default=20,
        ge=1,
        le=200,
        description="Connections at most. Sending begins with a few, and adds more while all goes well.",
    )
    weight: StrictInt = Field(
        default=1,
        ge=0,
        le=1000,
        description="With [[further_relays]]: its share of the letters. 0: only while others are down.",
    )

    @property
    def is_sandbox(self) -> bool:
        """Whether letters stay on this machine, as files."""
        return self.host == "sandbox"

    @property
    def is_trial(self) -> bool:
        """Whether this relay may be given letters with a made-up clock: the sandbox, or loopback."""
        return self.is_sandbox or is_loopback(self.host)


class FurtherRelaySection(RelaySection):
    """Another one."""

    table: ClassVar[str] = "[[further_relays]]"


class SandboxSection(Section):
    """Where the sandbox keeps what it is given."""

    folder: RequiredLine = Field(default="sandbox", description="A folder for its .eml files.")


class CategoriesSection(Section):
    """What a new category has unless `category add` says otherwise."""

    cadence: CadenceText = Field(
        default="weekly tue 08:00",
        description='"weekly tue 08:00", "every 2 weeks tue 08:00", "monthly first mon 09:00", '
        '"daily 07:00", or five cron fields.',
    )
    timezone: ZoneName = Field(default="UTC", description="The zone of its slots, such as Europe/Berlin.")
    mode: Mode = Field(
        default=Mode.BROADCAST,
        description="broadcast (everyone gets the next post) or sequence (each reader gets the first post "
        "they have not had).",
    )


class QueueSection(Section):
    """What waits to go out, and what it has to pass before."""

    approval: StrictBool = Field(
        default=False,
        description="Whether what is queued waits for `paperround queue approve` before it may go.",
    )
    low: StrictInt = Field(
        default=3,
        ge=0,
        le=100,
        description="The editor is told by email when fewer posts than this wait in a category. 0: never.",
    )


class ImagesSection(Section):
    """What becomes of the pictures in posts."""

    policy: PicturePolicy = Field(
        default=PicturePolicy.LINK,
        description="link (shown from the blog), host (taken when a post is queued, made fit for mail, and "
        "served by `paperround run`) or embed (the same, within each message).",
    )


class DeliverySection(Section):
    """What happens to letters and slots that are late."""

    in_doubt: Literal["resend", "hold"] = Field(
        default="resend",
        description="After a crash, letters that may or may not have arrived: resend (perhaps twice, with "
        "the same Message-ID) or hold (perhaps not at all) until a person decides.",
    )
    expire_after_hours: StrictInt = Field(
        default=120, ge=1, le=24 * 30, description="How long an issue's deferred letters are tried again."
    )
    catch_up_hours: StrictInt = Field(
        default=48,
        ge=0,
        le=24 * 30,
        description="A slot found this late, after downtime, still goes out; an older one is skipped.",
    )
    skip_failed_after_hours: StrictInt = Field(
        default=48,
        ge=0,
        le=24 * 30,
        description="A slot whose post or template is broken waits this long for the mend, or is skipped.",
    )
    digest: StrictBool = Field(
        default=False,
        description="Whether slots of one day make one letter for each reader, unless they wish otherwise.",
    )
    weekly_cap: StrictInt = Field(
        default=0,
        ge=0,
        le=100,
        description="Letters a week at most to a reader, unless they wish otherwise. What is more comes with "
        "the next letter that may go. 0: no limit.",
    )
    per_minute: StrictInt = Field(
        default=0,
        ge=0,
        le=MOST_PER_MINUTE,
        description="Letters a minute at most, to all readers together. 0: no limit.",
    )
    domain_per_minute: DomainRates = Field(
        default={},
        description='The same for the readers of one domain, such as { "gmail.com" = 600, "*" = 3000 }; '
        '"*" is each domain that is not named.',
    )
    canary_percent: StrictInt = Field(
        default=0,
        ge=0,
        le=50,
        description="The share of an issue's readers that gets it first, to see whether it is well taken. 0: "
        "all at once.",
    )
    canary_wait_minutes: StrictInt = Field(
        default=30, ge=0, le=24 * 60, description="How long the others wait after the first have been tried."
    )
    canary_limit_percent: StrictInt = Field(
        default=5,
        ge=1,
        le=100,
        description="If more of the first than this bounce, are deferred or complain, the issue halts.",
    )

    @property
    def canary_every(self) -> int | None:
        """Of how many letters one belongs to the first share, None if there is no such share."""
        return round(100 / self.canary_percent) if self.canary_percent else None


class BouncesSection(Section):
    """When readers whose letters come back are written to no more (docs/bounces.md)."""

    soft_strikes: StrictInt = Field(
        default=3,
        ge=1,
        le=100,
        description="Letters that came back for a reason that may pass, such as a full mailbox, until a "
        "reader is asked whether letters arrive.",
    )
    soft_days: StrictInt = Field(
        default=14, ge=0, le=365, description="Days between the first and the last of them, at least."
    )
    probe_days: StrictInt = Field(
        default=7,
        ge=1,
        le=60,
        description="If what asks them does not come back within so many days, all that is forgotten.",
    )


class DkimSection(Section):
    """Signatures that prove a letter is yours (RFC 6376). `paperround dkim keygen` makes a key."""

    selector: Selector = Field(
        default="", description="The name of the RSA key in the DNS. Empty: letters are not signed here."
    )
    key_file: RequiredLine = Field(
        default="dkim.pem", description="The RSA key, at least 1024 bits; 2048 do."
    )
    ed25519_selector: Selector = Field(
        default="", description="The name of an Ed25519 key for a second signature (RFC 8463). Empty: none."
    )
    ed25519_key_file: RequiredLine = Field(default="dkim-ed25519.pem", description="The Ed25519 key.")
    domain: OptionalDomain = Field(
        default="", description="The signing domain. Empty: the domain of the From address."
    )


class DoorsSection(Section):
    """How people subscribe: on the page, and by email."""

    by_email: StrictBool = Field(
        default=False,
        description="Whether readers may write to inbound_address and are understood (docs/inbound.md). "
        "Letters and pages then say so.",
    )
    confirm_days: StrictInt = Field(
        default=7, ge=1, le=90, description="How long a request waits to be confirmed before it is deleted."
    )
    confirmation_window_minutes: StrictInt = Field(
        default=30,
        ge=0,
        le=24 * 60,
        description="An address is asked to confirm something at most once in this time.",
    )
    confirmations_per_day: StrictInt = Field(
        default=5, ge=1, le=100, description="And at most so often a day."
    )
    domain_per_hour: StrictInt = Field(
        default=500,
        ge=1,
        le=MOST_PER_MINUTE,
        description="Confirmations an hour at most to one domain; what is more waits.",
    )
    ip_per_hour: StrictInt = Field(
        default=30,
        ge=1,
        le=MOST_PER_MINUTE,
        description="How often an hour the form may be sent from one network address.",
    )
    trusted_proxies: list[Network] = Field(
        default=[],
        description='Proxies whose X-Forwarded-For says who is asking, such as ["127.0.0.1"]. Empty: none.',
    )
    answers_per_day: StrictInt = Field(
        default=10, ge=1, le=1000, description="Answers a day at most to one address that writes."
    )
    keep_days: StrictInt = Field(
        default=30,
        ge=1,
        le=365,
        description="How long mail that came in, and the answers to it, are kept whole.",
    )


class InboundSection(Section):
    """How readers' mail comes in: at a listener of `paperround run`, here; from a mailbox, see [imap]."""

    listen: EntranceAddress = Field(
        default="",
        description="Where your mail server hands it over: HOST:PORT such as 127.0.0.1:8024, or a socket's "
        "file such as unix:/run/paperround/lmtp.sock. Empty: nowhere.",
    )
    protocol: Literal["lmtp", "smtp"] = Field(
        default="lmtp", description="What is spoken there. Mail servers speak lmtp to what is behind them."
    )
    max_message_bytes: StrictInt = Field(
        default=25 << 20,
        ge=10_000,
        le=200 << 20,
        description="What is larger is refused, or left in its mailbox, by every entrance.",
    )


class ImapSection(ServerSection):
    """A mailbox at a mail provider, which `paperround run` looks into. Nothing is ever deleted there."""

    table: ClassVar[str] = "[imap]"
    implicit_port: ClassVar[int] = 993

    host: Line = Field(default="", description="Its IMAP server. Empty: none.")
    port: StrictInt = Field(default=993, ge=1, le=65535, description="993 as a rule, 143 with STARTTLS.")
    tls: TLSMode = Field(
        default=TLSMode.AUTO,
        description="auto (implicit on port 993, else STARTTLS, which only a server on this machine may "
        "lack), starttls, implicit, or none.",
    )
    user: Line = Field(default="", description="The login, as a rule the mailbox's address.")
    password_command: Line = Field(
        default="", description='A command that prints the password, such as "pass show mailbox".'
    )
    folder: RequiredLine = Field(default="INBOX", description="The folder that is watched.")
    poll_seconds: StrictInt = Field(
        default=60,
        ge=1,
        le=24 * 60 * 60,
        description="How often it is looked into where the server tells of no new mail by itself (IDLE).",
    )

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if self.host and not self.user:
            raise ValueError("names a host and no user: nobody's mailbox can be looked into")
        return self


class LogSection(Section):
    """A record for machines of what is done, one JSON object a line, deliveries by their number."""

    to: Line = Field(
        default="", description='"stderr", or a file. Empty: none; what happened stands in the ledger anyway.'
    )
    level: Literal["info", "debug"] = Field(
        default="info", description="debug adds addresses and the relay's words: personal data."
    )


class Settings(BaseModel):
    """All settings of one site. `folder` is where its paperround.toml lies."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    site: SiteSection
    database: DatabaseSection = DatabaseSection()
    relay: RelaySection = RelaySection()
    sandbox: SandboxSection = SandboxSection()
    categories: CategoriesSection = CategoriesSection()
    queue: QueueSection = QueueSection()
    images: ImagesSection = ImagesSection()
    delivery: DeliverySection = DeliverySection()
    bounces: BouncesSection = BouncesSection()
    dkim: DkimSection = DkimSection()
    doors: DoorsSection = DoorsSection()
    inbound: InboundSection = InboundSection()
    imap: ImapSection = ImapSection()
    log: LogSection = LogSection()
    further_relays: tuple[FurtherRelaySection, ...] = ()

    @model_validator(mode="after")
    def _room_for_confirmations(self) -> Self:
        local = self.inbound_address.rpartition("@")[0]
        if self.doors.by_email and len(local) > _LONGEST_INBOUND_LOCAL:
            raise ValueError(
                f"needs an inbound_address with at most {_LONGEST_INBOUND_LOCAL} characters before its @, not"
                f" {local!r}, while by_email in [doors] is true: a token is put behind them, and RFC 5321 "
                f"§4.5.3.1.1 allows 64 in all"
            )
        return self

    _folder: Path = PrivateAttr(default=Path())

    def in_folder(self, folder: Path) -> Self:
        """These settings, for a site in this folder."""
        self._folder = folder
        return self

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
    def relays(self) -> tuple[RelaySection, ...]:
        """Every relay, the first one first."""
        return (self.relay, *self.further_relays)

    @property
    def sandbox_folder(self) -> Path:
        """Where the sandbox keeps its letters."""
        return self.folder / self.sandbox.folder

    @property
    def media_folder(self) -> Path:
        """Where pictures that were taken are kept."""
        return self.folder / "media"

    @property
    def database_url(self) -> str:
        """The database, with a relative SQLite path resolved against the site's folder."""
        url = self.database.url
        if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
            return f"sqlite:///{self.folder.resolve() / url.removeprefix('sqlite:///')}"
        return url

    def secret_key(self) -> bytes:
        """The key that signs tokens. Raises SettingsError if its file is missing, short or open to others."""
        path = self.folder / self.site.secret_key_file
        try:
            with open_regular(path) as file:
                key, mode = file.read().decode("ascii").strip(), os.fstat(file.fileno()).st_mode
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
            raise SettingsError(
                f"the secret key cannot be read ({reason}); restore it from a backup, or make a new one with "
                f"`paperround init` in an empty folder and copy its secret.key here (links in letters that "
                f"have gone out then stop working, and nobody knows any more whom not to write to)",
                path=path,
            ) from error
        if len(key) < 32:
            raise SettingsError("the secret key is shorter than 32 characters", path=path)
        if mode & 0o077:
            raise SettingsError(f"the secret key can be read by others: chmod 600 {path}", path=path)
        return key.encode("ascii")


def _without_output(error: Exception) -> str:
    """Describe a failed command without anything it printed: that may be the secret."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit status {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {_PASSWORD_SECONDS} seconds"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return "it, or what it prints, is not text with its quotes closed"
