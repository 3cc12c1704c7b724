"""Whether mail can come in: the listener answers as a mail server would ask it, the mailbox can be opened."""

import smtplib
from collections.abc import Iterator

from newsletter.doctor.findings import Finding, error, ok, warning
from newsletter.errors import EntranceError
from newsletter.feedback.imap import chosen_folder, connected
from newsletter.feedback.route import RouteVerb, address_for
from newsletter.settings import ImapSection, InboundSection, TLSMode
from newsletter.settings_values import UNIX, is_loopback

_SECONDS = 4.0


def check_listener(inbound: InboundSection, address: str) -> Iterator[Finding]:
    """Ask whether it takes mail to our address, plain and with a plus; nothing is sent."""
    subject = f"mail at {inbound.listen}"
    plus = address_for(address, RouteVerb.HELP)
    try:
        with _client(inbound) as client:
            client.ehlo_or_helo_if_needed()
            client.mail("")
            refused = [one for one in (address, plus) if client.rcpt(one)[0] != 250]
    except (OSError, smtplib.SMTPException) as fault:
        yield error(
            subject, f"nothing takes mail there: {str(fault)[:200] or type(fault).__name__}", "paperround run"
        )
        return
    if refused:
        yield error(
            subject,
            f"what listens there takes no mail to {' and '.join(refused)}: another program, or another site",
            "see listen in [inbound]",
        )
    else:
        yield ok(
            subject,
            f"it takes mail to {address}, also with a plus; a mail to {plus}, which is answered, shows "
            f"whether your mail server hands it over",
        )


def _client(inbound: InboundSection) -> smtplib.SMTP:
    is_lmtp = inbound.protocol == "lmtp"
    if inbound.listen.startswith(UNIX):
        # smtplib has no SMTP over a socket's file; the greeting is all that differs.
        client = smtplib.LMTP(inbound.listen.removeprefix(UNIX), timeout=_SECONDS)
        client.ehlo_msg = "lhlo" if is_lmtp else "ehlo"
        return client
    host, _, port = inbound.listen.rpartition(":")
    kind = smtplib.LMTP if is_lmtp else smtplib.SMTP
    return kind(host.strip("[]"), int(port), timeout=_SECONDS)


def check_mailbox(imap: ImapSection, password: str, address: str) -> Iterator[Finding]:
    """Log in and open the folder, as `run` does; nothing is read."""
    subject = f"mailbox {imap.user} at {imap.name}"
    try:
        with connected(imap, password) as client:
            chosen = chosen_folder(imap, client)
            has_idle = client.has_capability("IDLE")
    except EntranceError as fault:
        yield error(subject, str(fault), "see [imap]")
        return
    news = "new mail is told at once (IDLE)" if has_idle else f"looked into every {imap.poll_seconds} seconds"
    plus = address_for(address, RouteVerb.HELP)
    yield ok(
        subject,
        f"{imap.folder} can be opened; {news}; a mail to {plus}, which is answered, shows whether "
        f"mail with a plus arrives there",
    )
    if b"READ-WRITE" not in chosen:
        yield warning(
            subject,
            f"{imap.folder} can only be read: nothing is marked as read there",
            "see folder in [imap]",
        )
    if imap.tls is TLSMode.NONE and not is_loopback(imap.host):
        yield warning(subject, "mail and password travel in the open", f'tls = "auto" in {imap.table}')
