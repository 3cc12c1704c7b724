"""Subscribing, changing and leaving wholly by email, on both databases, with a real sandbox for answers."""

from email.message import EmailMessage

from tests.feedback.conftest import Correspondence

JOIN = "news+join.advice@example.org"


def text_of(mail: EmailMessage) -> str:
    """The plain text of a letter."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def reply_address(mail: EmailMessage) -> str:
    """Where an answer to a letter goes."""
    return str(mail["Reply-To"].addresses[0].addr_spec)


def test_join_and_confirm_by_reply(post: Correspondence) -> None:
    """A mail to +join makes a request; only the reply to its confirmation makes a reader."""
    post.write(JOIN)
    assert post.subscriptions() == {}
    (asked,) = post.new_mail()
    assert asked["Return-Path"] == "<>"
    assert asked["Auto-Submitted"] == "auto-replied"
    assert asked["In-Reply-To"] == asked["References"]
    assert reply_address(asked).startswith("news+confirm.")
    post.write(reply_address(asked), "> quoted", subject=f"Re: {asked['Subject']}")
    assert post.subscriptions() == {"advice": "active"}
    (welcome,) = post.new_mail()
    assert "Good advice" in text_of(welcome)
    post.write(reply_address(asked), "yes", subject="again")
    assert post.new_mail() == []
