"""Cards: what a letter shows in the place of a player, a post elsewhere or another embedded page.

Promises: pure. `card_of` says what an address is and gives the one for people (a player's address becomes the
page of the video); `make_cards` turns embedded pages that stand alone, and paragraphs that are nothing but
the address of a known video, sound or post, into
`<figure data-card="KIND"><a href="…">words</a></figure>`. Inside running text an embedded page is a link.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element

KINDS = ("video", "audio", "post", "slides", "code", "page")
"""Every value of `data-card`."""

_CONTAINERS = ("div", "blockquote")


@dataclass(frozen=True, slots=True)
class Card:
    """What an address is: its kind, the address for people, and words for it; a guess is not `is_known`."""

    kind: str
    url: str
    words: str
    is_known: bool = True


def card_of(url: str, element: str = "") -> Card:
    """Say what an address is; `element` is the tag that embedded it (`audio`), if any."""
    try:
        parts = urlsplit(f"https:{url}" if url.startswith("//") else url)
        host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    except ValueError:
        return Card("page", url, "Embedded page", is_known=False)
    url = parts.geturl()
    for names, kind, words, page in _SITES:
        if host in names and (address := page(url)):
            return Card(kind, address, words)
    if _FEDIVERSE.fullmatch(parts.path):
        return Card("post", url, f"Post on {host}")
    if element in ("video", "audio"):
        return Card(
            element, url, f"{element.capitalize()} on {host}" if host else element.capitalize(), False
        )
    return Card("page", url, f"Page on {host}" if host else "Embedded page", is_known=False)


def make_cards(root: Element) -> None:
    """Make the cards of a tree, in place; an embedded page is a link with `data-embed`."""
    for parent in [node for node in root.iter() if node.tag in _CONTAINERS]:
        for child in parent:
            if child.tag == "p" and (link := _lone_link(child)) is not None:
                _set_card(child, link)
    for figure in root.iter("figure"):
        links = figure.findall("a")
        if links and "data-embed" in links[0].attrib and "data-card" not in figure.attrib:
            figure.set("data-card", _settle(links[0]))
    for link in root.iter("a"):
        if "data-embed" in link.attrib:
            _settle(link)


def _lone_link(paragraph: Element) -> Element | None:
    """The link that a paragraph consists of, if that is embedded or the bare address of something known."""
    if len(paragraph) != 1 or paragraph[0].tag != "a" or len(paragraph[0]) or (paragraph.text or "").strip():
        return None
    link = paragraph[0]
    if (link.tail or "").strip():
        return None
    if "data-embed" in link.attrib:
        return link
    is_bare = re.fullmatch(r"https?://\S+", link.text or "") is not None
    return link if is_bare and card_of(link.get("href", "")).is_known else None


def _set_card(paragraph: Element, link: Element) -> None:
    marks = {key: value for key, value in paragraph.attrib.items() if key in ("class", "data-by")}
    link.tail = None
    paragraph.clear()
    paragraph.tag = "figure"
    paragraph.attrib.update({"data-card": _settle(link), **marks})
    paragraph.append(link)


def _settle(link: Element) -> str:
    """Give a link its address for people and, where it has none of its own, words; say its kind."""
    element = link.attrib.pop("data-embed", "")
    card = card_of(link.get("href", ""), element)
    link.set("href", card.url)
    if link.text is None or re.fullmatch(r"(?:https?:)?/\S*", link.text):
        link.text = card.words
    return card.kind


def _youtube(url: str) -> str | None:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    found = re.match(r"/(?:(?:embed|shorts|live|v)/)?([A-Za-z0-9_-]{6,20})/?$", parts.path)
    videos = query.get("v", [])
    is_short = parts.hostname == "youtu.be" or parts.path.count("/") > 1
    if not videos and is_short and found and found[1] != "videoseries":
        videos = [found[1]]
    lists = query.get("list", [])
    if not videos:
        return f"https://www.youtube.com/playlist?list={lists[0]}" if lists and _is_id(lists[0]) else None
    if not _is_id(videos[0]):
        return None
    start = (query.get("t") or query.get("start") or [""])[0]
    at = f"&t={start}" if re.fullmatch(r"[0-9hms]{1,12}", start) else ""
    return f"https://www.youtube.com/watch?v={videos[0]}{at}"


def _vimeo(url: str) -> str | None:
    found = re.match(r"/(?:video/|channels/[\w-]+/)?([0-9]{3,})(?:/([0-9a-f]+))?/?$", urlsplit(url).path)
    secret = (parse_qs(urlsplit(url).query).get("h") or [found[2] if found else None])[0] if found else None
    tail = f"/{secret}" if secret and re.fullmatch("[0-9a-f]{4,20}", secret) else ""
    return f"https://vimeo.com/{found[1]}{tail}" if found else None


def _spotify(url: str) -> str | None:
    parts = urlsplit(url)
    path = parts.path.removeprefix("/embed")
    is_shown = re.match(r"/(?:track|album|playlist|episode|show|artist)/\w+", path)
    return f"https://open.spotify.com{path}" if is_shown else None


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{6,60}", text) is not None


def _where(pattern: str, *replacement: str) -> Callable[[str], str | None]:
    """An address whose path matches; the first `replacement` in it is replaced by the second."""
    path = re.compile(pattern)

    def page(url: str) -> str | None:
        parts = urlsplit(url)
        shown = url.replace(replacement[0], replacement[1], 1) if replacement else url
        return shown if path.match(parts.path) else None

    return page


_FEDIVERSE = re.compile(r"/@[\w.-]+(?:@[\w.-]+)?/[0-9]{5,}(?:/embed)?/?")
_SITES: tuple[tuple[frozenset[str], str, str, Callable[[str], str | None]], ...] = tuple(
    (frozenset(hosts.split()), kind, words, page)
    for hosts, kind, words, page in (
        (
            "youtube.com youtu.be youtube-nocookie.com music.youtube.com",
            "video",
            "Video on YouTube",
            _youtube,
        ),
        ("vimeo.com player.vimeo.com", "video", "Video on Vimeo", _vimeo),
        (
            "twitter.com mobile.twitter.com x.com",
            "post",
            "Post on X",
            _where(r"/\w+(?:/web)?/status(?:es)?/\d+"),
        ),
        ("instagram.com", "post", "Post on Instagram", _where(r"/(?:[\w.]+/)?(?:p|reel|tv)/[\w-]+")),
        ("tiktok.com", "video", "Video on TikTok", _where(r"/@[\w.-]+/video/\d+")),
        ("slideshare.net", "slides", "Slides on SlideShare", _where(r"/[\w-]+/[\w-]+")),
        ("speakerdeck.com", "slides", "Slides on Speaker Deck", _where(r"/[\w-]+/[\w-]+")),
        (
            "soundcloud.com w.soundcloud.com",
            "audio",
            "Audio on SoundCloud",
            _where(r"/(?:player|[\w-]+/[\w-]+)"),
        ),
        ("open.spotify.com", "audio", "Audio on Spotify", _spotify),
        ("loom.com", "video", "Video on Loom", _where(r"/(?:share|embed)/[0-9a-f]+", "/embed/", "/share/")),
        ("ted.com", "video", "Talk on TED", _where(r"/talks/\w+")),
        ("embed.ted.com", "video", "Talk on TED", _where(r"/talks/\w+", "//embed.", "//www.")),
        ("gist.github.com", "code", "Code on GitHub", _where(r"/(?:[\w-]+/)?[0-9a-f]{5,}", ".js", "")),
    )
)
