"""Reports in plain words: what systems write that send no delivery status, or one that says nothing.

Promises: pure, never raises, and time grows with the length of what is read, at most TEXT_CHARACTERS.

May surprise: the words decide what became of a letter only for mail that a machine sent about it. People
write the same words, quote them, and answer automatically to them, so that who sent it is looked at first:
`newsletter.feedback.reports` does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.delivery.languages import words_for
from newsletter.delivery.phrases import any_of, sentences
from newsletter.feedback.mime import one_line

TEXT_CHARACTERS = 20_000
"""Characters of a report's own words that are looked at."""
_SAID_CHARACTERS = 1200
"""Characters behind a recipient that are about them."""
_ADDRESSES = 100
_LONGEST_ADDRESS = 320

_FAILS = any_of(
    r"""
    (?:could ?nt|could not|cannot|cant|can not) (?:\w+ ){0,4}(?:deliver|sen[dt]|reach|accept)
    (?:un|not )able to (?:\w+ ){0,4}(?:deliver|sen[dt]|reach|accept)
    (?:was not|wasnt|werent|were not) (?:\w+ ){0,4}(?:deliver|sen[dt]|reach|accept)
    (?:has not|hasnt|have not|havent) been (?:\w+ )?(?:deliver|sent) | undeliver | unsuccessful delivery
    not been delivered | deliver\w* (?:\w+ ){0,7}(?:fail|abort|impossible|unsuccessful|error|problem)
    deliver\w* (?:\w+ ){0,4}(?:stopped|blocked|refused|denied)
    fail\w* (?:\w+ ){0,2}(?:deliver|recipient|address)
    returned (?:mail|to sender|to you|message|unread|e ?mail) | return to sender | did(?: not|nt) reach
    permanent (?:fatal )?(?:error|fail) | failed (?:mail|message) | (?:message|mail) (?:\w+ ){0,2}failed
    fatal error | error (?:sending|delivering|while) | given up | giving up | \bnot deliver
    never deliver | non ?deliver | failure (?:notice|report|reason)
    (?:message|mail|email) (?:\w+ ){0,3}(?:rejected|refused|returned|bounced|blocked)
    bounced (?:back|message|mail) | undelivered | quarantin
    \bvirus (?:\w+ ){0,3}in (?:mail|message|your)
    (?:address|recipient)\w* (?:\w+ ){0,3}(?:failed|rejected|problem) | user unknown
    mail ?box (?:is )?full | doesnt have an? | addresses? had | problems? (?:\w+ ){0,3}trying to deliver
    """,
    words_for("undelivered"),
)
"""That a letter did not arrive."""
_IS_TRIED = any_of(
    r"""
    not yet been delivered | not been delivered yet | hasnt been delivered yet
    still being (?:retried|attempted|tried) | to be retried | could not send message for past
    will (?!not? )(?:\w+ )?(?:keep|continue|be|try)\b (?:\w+ ){0,3}(?:re ?tr|tr[yi]|attempt|again)
    will (?:be )?re ?tr(?:y|ied)
    (?<!no further )(?<!no more )(?<!no further delivery )attempts (?:\w+ ){0,4}will (?:be made|continue)
    attempts (?:\w+ ){0,4}will be repeated | attempts to deliver (?:\w+ ){0,3}will (?:be made|continue)
    warning (?:message )?only | (?:just|only) a warning | not need to (?:re ?send|take|do)
    no action (?:is required|on your part) | delivery incomplete | advisory (?:only|notice)
    \bkeep trying
    """,
    words_for("still_tried"),
)
"""That a letter is still tried."""
_IS_LATE = any_of(
    r"""
    (?:has|have|been|is|was|are|being|temporarily) (?:\w+ ){0,2}(?:delay|postpon|deferr)
    (?:message|mail|delivery|warning) (?:\w+ ){0,2}(?:delay|postpon|deferr)
    delivery (?:\w+ ){0,4}\bdelay | delayed (?:\d|mail|delivery|message|warning)
    temporary (?:problem|failure|error) | retrying
    """,
    words_for("late"),
)
"""That a letter is late; what has failed for good may say so too."""
_ENDED = any_of(
    r"""
    \bgiven up | giving up (?:now|on) | gave up | not going to try | failed permanently
    permanent(?:ly)? (?:fatal )?(?:error|fail|problem) | no (?:further|more) (?:delivery )?attempt
    will not (?:be )?(?:re ?tr|try|attempt) | no longer (?:be )?(?:tr|attempt)
    (?:has|have) been returned | is being returned | retry time(?:out)? exceeded | (?:has|have) expired
    too long in | in the queue too long
    """,
    words_for("given_up"),
)
"""That nobody tries any more."""
_FAILS_BEYOND_DOUBT = any_of(
    """
    fail | undeliver | returned | returning | rejected
    """,
    words_for("surely_failed"),
)
"""In a subject: what it says besides may be the letter's own."""
_ARRIVED = any_of(
    r"""
    success\w* (?:\w+ ){0,3}deliver | delivered successfully | deliver\w* (?:\w+ ){0,4}success
    delivery (?:\w+ ){0,4}complete\b | (?:has|have|was) been delivered to (?:the|your|these)
    """,
    words_for("arrived"),
)
_LETTER_BEGINS = re.compile(
    r"""^[ \t>|]*+(?:
        (?:return-path|received|mime-version|dkim-signature|x-[a-z-]+|content-type|list-[a-z]+):[ \t<]
      | (?: [-=_*+\#]{2}[-=_*+\#. \t]{0,80}(?:\w+[ \t,]+){0,8}?
        | (?:(?:below|here)[ ]is[ ])?(?:(?:the|your|an?)[ ])?)(?:
            original[ ]message\b(?![ ](?:was|is|has|could|from|to|received)) | message[ ]text[ ]follows
          | unsent[ ]message | returned[ ](?:message|mail)[ ]?(?:follows|below|-|:|$)
          | (?:included[ ]is[ ]a[ ])?copy[ ]of[ ](?:the|your)[ ](?:\w+[ ])?(?:message|mail|letter)
          | headers?[ ]of[ ]the[ ]original | message[ ]headers?[ ](?:follow|below|:) | start[ ]of[ ]returned
          | undelivered[ ]message[ ]?(?:-|:|$)
          | ursprüngliche[ ]nachricht | kopie[ ]der | message[ ]d['’]origine | copie[ ]du[ ]message
          | mensaje[ ]original | copia[ ]del[ ]mensaje | messaggio[ ]originale
          | исходно[ег] | копия[ ](?:письма|сообщения)
        )
      | .{0,30}(?:元のメッセージ|原文|オリジナルメッセージ)
    )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
"""Where the letter itself begins in a report of one part."""
_SEPARATES = re.compile(r"""[\s<>()\[\],;:"'=|。、：（）「」]+""")
_OF_SYSTEMS = re.compile(
    r"(?:postmaster|mailer-daemon|abuse|support|help(?:desk)?|admin(?:istrator)?|.*[+]bounce\..*|root|info)@",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Words:
    """A report's own words, without the letter it returns."""

    subject: str
    text: str

    @property
    def fails(self) -> bool:
        """Whether they say that a letter did not arrive."""
        return any(re.search(_FAILS, said) for said in self._sentences())

    @property
    def fails_by_subject(self) -> bool:
        """Whether the subject alone says so, or that the letter is late."""
        return any(re.search(pattern, sentences(self.subject)) for pattern in (_FAILS, _IS_TRIED, _IS_LATE))

    @property
    def is_late(self) -> bool:
        """Whether they say that it has not arrived yet, and is still tried."""
        both = subject, _ = self._sentences()
        if any(re.search(_IS_TRIED, said) for said in both):
            return True
        if re.search(_FAILS_BEYOND_DOUBT, subject) or any(re.search(_ENDED, said) for said in both):
            return False
        return any(re.search(_IS_LATE, said) for said in both)

    @property
    def arrived(self) -> bool:
        """Whether they say that it arrived."""
        return any(re.search(_ARRIVED, said) for said in self._sentences())

    def _sentences(self) -> tuple[str, str]:
        return sentences(self.subject), sentences(self.text)


def own_words(text: str) -> str:
    """What a report says before the letter it returns begins; the whole where nothing does."""
    cut = text[:TEXT_CHARACTERS]
    begins = _LETTER_BEGINS.search(cut)
    before = cut[: begins.start()] if begins else cut
    return before if before.strip() else cut


def is_letter(text: str) -> bool:
    """Whether a text is nothing but a letter: it begins with its header."""
    return _LETTER_BEGINS.match(text.lstrip("\n")) is not None


def addresses_in(text: str) -> Iterator[str]:
    """The addresses in a text that may be a reader's, in order."""
    for count, word in enumerate(_words_with_at(text)):
        if count >= _ADDRESSES:
            return
        if not _OF_SYSTEMS.match(word):
            yield word


def said_about(text: str, recipient: str) -> str:
    """What a report says behind the name of a recipient, in one line; all where it does not name them."""
    place = text.lower().find(recipient.lower()) if recipient else -1
    behind = text[place + len(recipient) :][:_SAID_CHARACTERS] if place >= 0 else ""
    # A name alone at the end tells nothing: then what stands before it does.
    return one_line(behind if len(behind.strip(" \t\n<>()[].:;,-")) > 10 else text)


def _words_with_at(text: str) -> Iterator[str]:
    for word in _SEPARATES.split(text[:TEXT_CHARACTERS]):
        address = word.removeprefix("mailto").strip(".")
        local, at, domain = address.partition("@")
        if at and local and "." in domain and "@" not in domain and len(address) <= _LONGEST_ADDRESS:
            yield address
