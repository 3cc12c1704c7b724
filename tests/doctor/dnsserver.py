"""A small DNS server on loopback, for a fixed zone: real packets, no mocks."""

import socket
from collections.abc import Mapping, Sequence
from threading import Thread
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

from newsletter.doctor.names import Names

Zone = Mapping[str, Mapping[str, Sequence[str]]]
"""Each name with its records by type, as a zone file writes them; SERVFAIL and SILENCE are types too."""


class DnsServer:
    """`with DnsServer(zone) as server:` answers at `server.names`; a name that is not there is NXDOMAIN."""

    def __init__(self, zone: Zone) -> None:
        self._zone = {name.lower(): records for name, records in zone.items()}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve, daemon=True)

    @property
    def resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self._socket.getsockname()[1]
        return resolver

    @property
    def names(self) -> Names:
        return Names(self.resolver, seconds=0.3 if "SILENCE" in str(self._zone) else 5.0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(timeout=10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(65_535)
            if not wire:
                return
            query = dns.message.from_wire(wire)
            answer = self._answer(query)
            if answer is not None:
                self._socket.sendto(answer.to_wire(max_size=65_535), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        records = self._zone.get(question.name.to_text(omit_final_dot=True).lower())
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return answer
        if "SILENCE" in records:
            return None
        if "SERVFAIL" in records:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        kind = dns.rdatatype.to_text(question.rdtype)
        if values := records.get(kind):
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, list(values)))
        return answer


def quoted(text: str) -> str:
    """A TXT record's text, in strings of at most 255 octets."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
