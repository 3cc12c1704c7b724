"""Which addresses of the internet a post may make this computer speak to: public ones, and no others.

Pure, and the same on every version of Python: the tables are those of IANA's special-purpose address
registries (RFC 6890), as far as they are not globally reachable. An IPv4 address carried inside an IPv6
address (mapped, RFC 4291 section 2.5.5.2, or translated, RFC 6052) is judged as the IPv4 address it is.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_NOT_PUBLIC = [
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (RFC 6598)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, where clouds keep their secrets
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4, deprecated
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
_UNICAST = IPv6Network("2000::/3")  # all that IANA has given out; loopback, local and multicast lie outside
_NOT_PUBLIC_6 = [
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments; Teredo, which carries IPv4
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries IPv4
        "3fff::/20",  # documentation
    )
]
_CARRIES_IPV4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


def is_public(address: Address) -> bool:
    """Say whether anybody on the internet could be reached at `address`."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _NOT_PUBLIC)
    if any(address in block for block in _CARRIES_IPV4):
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _UNICAST and not any(address in block for block in _NOT_PUBLIC_6)
