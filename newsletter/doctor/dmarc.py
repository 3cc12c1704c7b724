"""Finding the DMARC record that receivers apply to a domain, and what belongs together (RFC 9989).

A receiver walks up the DNS tree from the domain (§4.10), skipping to seven labels where there are more. The
record of the domain itself counts, else that of its organisational domain: the one that says `psd=n`, the one
below a `psd=y`, else the uppermost that has a record. Two domains are aligned if they are equal (strict) or
have the same organisational domain (relaxed).
"""

import re
from dataclasses import dataclass

from newsletter.doctor.names import Names

_MOST_LABELS = 8
"""Names that are asked at most (RFC 9989 §4.10)."""
_RECORD = re.compile(r"v\s*=\s*DMARC1\s*(;|$)")


@dataclass(frozen=True, slots=True)
class Record:
    """One DMARC record: where it is, and its tags."""

    domain: str
    tags: dict[str, str]

    def strict(self, tag: str) -> bool:
        """Whether an alignment tag (`aspf`, `adkim`) asks for equal domains."""
        return self.tags.get(tag, "r") == "s"


def tree(domain: str) -> list[str]:
    """The domains whose records are asked for, from the domain up to its top."""
    labels = domain.lower().rstrip(".").split(".")
    above = labels[1:]
    above = above[max(0, len(above) - (_MOST_LABELS - 1)) :]
    return [".".join(labels), *(".".join(above[start:]) for start in range(len(above)))]


def records_at(names: Names, domain: str) -> list[Record]:
    """Every DMARC record of exactly this domain; more than one count as none. Raises UnseenError."""
    return [
        Record(domain, _tags(text)) for text in names.texts(f"_dmarc.{domain}") if _RECORD.match(text.strip())
    ]


def organisation(names: Names, domain: str) -> tuple[str, Record | None]:
    """A domain's organisational domain, and the record there, if any. Raises UnseenError."""
    best: Record | None = None
    walked = tree(domain)
    for place, candidate in enumerate(walked):
        found = records_at(names, candidate)
        if len(found) != 1:
            continue
        record = found[0]
        if record.tags.get("psd") == "n":
            return candidate, record
        if record.tags.get("psd") == "y" and place:
            below = walked[place - 1]
            return below, best if best and best.domain == below else None
        best = record
    return (best.domain, best) if best else (domain.lower(), None)


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {key.strip().lower(): value.strip() for key, sign, value in pairs if sign}
