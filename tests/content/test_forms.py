"""The forms that exports of real blogs leave in posts become what their readers saw on the blog."""

import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content.addresses import MAX_ADDRESS_CHARS, addresses
from newsletter.content.cards import KINDS, card_of
from newsletter.content.html import plain, without_illegal
from newsletter.content.markdown import read_markdown, to_tree
from newsletter.errors import ContentError

BASE = "https://b.example/posts/1"


def html(markdown: str) -> str:
    """The inside of the tree, its lines joined."""
    text = ET.tostring(to_tree(markdown, base_url=BASE), encoding="unicode")
    return re.sub(r"\s*\n\s*", "⏎", text.removeprefix("<div>").removesuffix("</div>").removeprefix("<div />"))


@pytest.mark.parametrize(
    ("address", "kind", "shown", "words"),
    [
        (
            "https://www.youtube.com/embed/abcdefghijk?start=30",
            "video",
            "https://www.youtube.com/watch?v=abcdefghijk&t=30",
            "Video on YouTube",
        ),
        (
            "https://youtu.be/abcdefghijk",
            "video",
            "https://www.youtube.com/watch?v=abcdefghijk",
            "Video on YouTube",
        ),
        (
            "https://www.youtube-nocookie.com/embed/videoseries?list=PLabcdef",
            "video",
            "https://www.youtube.com/playlist?list=PLabcdef",
            "Video on YouTube",
        ),
        (
            "https://m.youtube.com/shorts/abcdefghijk",
            "video",
            "https://www.youtube.com/watch?v=abcdefghijk",
            "Video on YouTube",
        ),
        (
            "//player.vimeo.com/video/123456?h=0a1b2c",
            "video",
            "https://vimeo.com/123456/0a1b2c",
            "Video on Vimeo",
        ),
        ("https://twitter.com/ann/status/123", "post", "https://twitter.com/ann/status/123", "Post on X"),
        ("https://x.com/i/web/status/123", "post", "https://x.com/i/web/status/123", "Post on X"),
        (
            "https://www.instagram.com/p/a-b_c/",
            "post",
            "https://www.instagram.com/p/a-b_c/",
            "Post on Instagram",
        ),
        (
            "https://www.tiktok.com/@ann/video/123",
            "video",
            "https://www.tiktok.com/@ann/video/123",
            "Video on TikTok",
        ),
        (
            "https://www.slideshare.net/ann/talk",
            "slides",
            "https://www.slideshare.net/ann/talk",
            "Slides on SlideShare",
        ),
        (
            "https://speakerdeck.com/ann/talk",
            "slides",
            "https://speakerdeck.com/ann/talk",
            "Slides on Speaker Deck",
        ),
        (
            "https://soundcloud.com/ann/song",
            "audio",
            "https://soundcloud.com/ann/song",
            "Audio on SoundCloud",
        ),
        (
            "https://open.spotify.com/embed/track/1a2b",
            "audio",
            "https://open.spotify.com/track/1a2b",
            "Audio on Spotify",
        ),
        ("https://www.loom.com/embed/0a1b", "video", "https://www.loom.com/share/0a1b", "Video on Loom"),
        ("https://embed.ted.com/talks/ann", "video", "https://www.ted.com/talks/ann", "Talk on TED"),
        (
            "https://gist.github.com/ann/0a1b2c3d.js",
            "code",
            "https://gist.github.com/ann/0a1b2c3d",
            "Code on GitHub",
        ),
        (
            "https://social.example/@ann/12345678",
            "post",
            "https://social.example/@ann/12345678",
            "Post on social.example",
        ),
        ("https://forms.example/a", "page", "https://forms.example/a", "Page on forms.example"),
        (
            "https://www.youtube.com/@channel",
            "page",
            "https://www.youtube.com/@channel",
            "Page on youtube.com",
        ),
        ("http://[", "page", "http://[", "Embedded page"),
    ],
)
def test_an_address_has_a_card(address: str, kind: str, shown: str, words: str) -> None:
    """What an address is, where its page for people is, and words for it, site by site."""
    card = card_of(address)
    assert (card.kind, card.url, card.words) == (kind, shown, words)
    assert card.is_known == (kind != "page")
    assert kind in KINDS


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        # Alone, a player's address or element is a card; in a sentence it is a link.
        (
            "https://youtu.be/abcdefghijk",
            '<figure data-card="video">'
            '<a href="https://www.youtube.com/watch?v=abcdefghijk">Video on YouTube</a></figure>',
        ),
        (
            "see https://vimeo.com/123 there",
            '<p>see <a href="https://vimeo.com/123">https://vimeo.com/123</a> there</p>',
        ),
        ("https://forms.example/a", '<p><a href="https://forms.example/a">https://forms.example/a</a></p>'),
        (
            '<iframe src="https://vimeo.com/123" title="My talk"></iframe>',
            '<figure data-card="video"><a href="https://vimeo.com/123">My talk</a></figure>',
        ),
        (
            '<video src="/a.mp4" controls>cannot play</video>',
            '<figure data-card="video"><a href="https://b.example/a.mp4">Video on b.example</a></figure>',
        ),
        (
            '<VIDEO controls><source src="/a.webm"><source src="/a.mp4"></VIDEO>',
            '<figure data-card="video"><a href="https://b.example/a.webm">Video on b.example</a></figure>',
        ),
        (
            'hear <audio src="/a.mp3"></audio> it',
            '<p>hear  <a href="https://b.example/a.mp3">Audio on b.example</a>  it</p>',
        ),
        ("<video>nothing to play</video> after", "<p> after</p>"),
        (
            '<script src="https://gist.github.com/ann/0a1b2c3d.js"></script>',
            '<figure data-card="code"><a href="https://gist.github.com/ann/0a1b2c3d">Code on GitHub'
            "</a></figure>",
        ),
        # Pictures that load late, and their copy for readers without scripts.
        (
            '<img src="data:image/gif;base64,AAAA" data-src="/real.png" alt="a"><noscript>'
            '<img src="/real.png" alt="a"></noscript>',
            '<p><img alt="a" src="https://b.example/real.png" /></p>',
        ),
        (
            '<div><img data-lazy-src="/a.png"><noscript><img src="/a.png"></noscript></div>',
            '<p><img alt="" src="https://b.example/a.png" /></p>',
        ),
        ('<img src="/a.png" data-src="/b.png">', '<p><img alt="" src="https://b.example/a.png" /></p>'),
        # Highlighters of code: their language is kept, their colours and line numbers are not.
        ('<pre class="brush: Python; gutter: false">a = 1</pre>', '<pre data-language="python">a = 1</pre>'),
        (
            '<div class="language-ruby highlighter-rouge"><div class="highlight">'
            '<pre class="highlight"><code>'
            '<table class="rouge-table"><tbody><tr><td class="gutter gl"><pre class="lineno">1\n2\n'
            "</pre></td>"
            '<td class="code"><pre><span class="k">def</span> a\n<span class="k">end</span>\n</pre>'
            "</td></tr></tbody>"
            "</table></code></pre></div></div>",
            '<pre data-language="ruby"><code>def a⏎end</code></pre>',
        ),
        (
            '<table class="highlighttable"><tr><td class="linenos"><div class="linenodiv"><pre>1</pre>'
            "</div></td>"
            '<td class="code"><div class="highlight"><pre><span class="n">a</span> = 1\n\n</pre></div>'
            "</td></tr></table>",
            "<pre>a = 1</pre>",
        ),
        (
            '<pre tabindex="0"><code class="language-go" data-lang="go"><span class="lnt">1\n'
            "</span>x := 1\n</code></pre>",
            '<pre data-language="go"><code>x := 1</code></pre>',
        ),
        ("<pre>\n\n  a\n</pre>", "<pre>⏎a</pre>"),
        ('<div class="gutter">1<br>2</div>after', "<p>after</p>"),
        # Tables that lay out a page, and one of data.
        (
            "<table><tr><td><table><tr><td><p>a</p><p>b</p></td></tr></table></td><td>c</td></tr></table>",
            "<p>a</p><p>b</p><p>c</p>",
        ),
        (
            "<table><tr><td>a <b>b</b><p>c</p>d</td></tr></table>",
            "<p>a <strong>b</strong></p><p>c</p><p>d</p>",
        ),
        (
            "<table><tr><td>a</td><td><p>b</p></td></tr></table>",
            "<table><tbody><tr><td>a</td><td><p>b</p></td></tr></tbody></table>",
        ),
        # Footnotes.
        (
            "a[^1] b[^n]\n\n[^1]: One.\n\n    Two.\n\n[^n]: Three.",
            "<p>a<sup>1</sup> b<sup>2</sup></p><hr /><ol><li>⏎<p>One.</p>⏎<p>Two.\xa0</p>⏎</li><li>⏎"
            "<p>Three.\xa0</p>⏎</li></ol>",
        ),
        # Drawings and formulas.
        ('a <svg width="1"><title>A tree</title><path d="M0"/><text>x</text></svg> b', "<p>a A tree b</p>"),
        ("<svg>\n    <g>\n\n    <path/>\n\n    </g></svg>\n\nafter", "<p>after</p>"),
        ("a <svg> b", "<p>a &lt;svg&gt; b</p>"),
        ('a <math alttext="x/y"><mfrac><mi>x</mi><mi>y</mi></mfrac></math> b', "<p>a x/y b</p>"),
        ('<math><mi>x</mi><annotation encoding="application/x-tex">x^2</annotation></math>', "<p>x^2</p>"),
        ("<math><mi>x</mi><mo>=</mo><mn>1</mn></math>", "<p>x = 1</p>"),
        # Ruby: the reading stands in brackets, its own or ours.
        ("漢<rt>kan</rt>", "<p>漢 (kan)</p>"),
        ("<ruby>漢<rt>kan</rt>字<rt>ji</rt></ruby>", "<p>漢 (kan)字 (ji)</p>"),
        ("<ruby>漢<RT>kan<rt>ji</ruby>", "<p>漢 (kan) (ji)</p>"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "<p>漢(kan)</p>"),
        ("<ruby>漢<rp>（<rt>kan<rp>）</ruby>", "<p>漢（kan）</p>"),
        ("<ruby>漢<rt></rt></ruby>", "<p>漢</p>"),
        # Line breaks of every spelling; two of them divide.
        ('a<br>b<br/>c<BR />d<br clear="all">e', "<p>a<br />b<br />c<br />d<br />e</p>"),
        ("a<br><br/>b", "<p>a</p><p>b</p>"),
        ("<p>a<br> <br>b<br></p>", "<p>a</p><p>b<br /></p>"),
        ("<!DOCTYPE html>\n\na", "<p>a</p>"),
        ("<div>\n<!doctype html>\n<p>a</p></div>", "<p>a</p>"),
        # What nothing closes does not change what stands below it.
        (
            "<b>a\n\nb\n\n- c\n\n---\n\nd",
            "<p><strong>a</strong></p><p>b</p><ul><li>c</li></ul><hr /><p>d</p>",
        ),
        (
            '<a href="/a"><div><h3>b</h3><hr><p>c</p></div></a>',
            '<h3><a href="https://b.example/a">b</a></h3><hr /><p><a href="https://b.example/a">c</a></p>',
        ),
        # Words in brackets and braces are words.
        ("*see [ann] and [foo bar] there*", "<p><em>see [ann] and [foo bar] there</em></p>"),
        (
            "**{{ page.title }}** of {% include x %}",
            "<p><strong>{{ page.title }}</strong> of {% include x %}</p>",
        ),
        ("[[gallery]] and [[code]x[/code]]", "<p>[gallery] and [code]x[/code]</p>"),
        ("[[gallery]](/a)", '<p><a href="https://b.example/a">[gallery]</a></p>'),
    ],
)
def test_what_exports_leave(markdown: str, expected: str) -> None:
    """Players, late pictures, highlighted code, layout tables, footnotes, drawings: as readers saw them."""
    assert html(markdown) == expected


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        # Ghost
        (
            """<figure class="kg-card kg-bookmark-card"><a class="kg-bookmark-container" href="https://a.example/p"><div
class="kg-bookmark-content"><div class="kg-bookmark-title">How to ask</div><div
class="kg-bookmark-description">A
guide.</div><div class="kg-bookmark-metadata"><img class="kg-bookmark-icon" src="/i.png"><span
class="kg-bookmark-author">Ann</span></div></div></a><figcaption>Read it first</figcaption></figure>
<p>Then write.</p>
<!--kg-card-begin: html-->
<div class="kg-card kg-callout-card"><div class="kg-callout-emoji">💡</div><div
class="kg-callout-text">Be <b>kind</b>.</div></div>
<!--kg-card-end: html-->
<div class="kg-card kg-button-card"><a href="/go" class="kg-btn">Go on</a></div>""",
            '<figure data-card="page"><a href="https://a.example/p">How to ask</a>'
            "<figcaption>A guide. · Ann · Read it first</figcaption></figure><p>Then write.</p>"
            "<p>💡</p><p>Be <strong>kind</strong>.</p>"
            '<p><a href="https://b.example/go">Go on</a></p>',
        ),
        # Medium
        (
            """<section><div class="section-divider"><hr></div><h3 class="graf">Why I left</h3>
<p class="graf">It was <em>time</em>.</p>
<figure class="graf--figure"><img data-src="https://cdn.example/1.png"
alt="A door"><figcaption>The door</figcaption></figure>
<div class="graf graf--mixtapeEmbed"><a href="https://m.example/x"><strong>The next job</strong><br><em>How it
began</em>m.example</a><a href="https://m.example/x" class="js-mixtapeImage"></a></div>
<figure class="graf--iframe"><iframe
src="https://www.youtube.com/embed/abcdefghijk"></iframe></figure></section>""",
            "<hr /><h3>Why I left</h3><p>It was <em>time</em>.</p>"
            '<figure><img alt="A door" src="https://cdn.example/1.png" /><figcaption>The door'
            "</figcaption></figure>"
            '<figure data-card="page"><a href="https://m.example/x">The next job</a>'
            "<figcaption>How it began · m.example</figcaption></figure>"
            '<figure data-card="video">'
            '<a href="https://www.youtube.com/watch?v=abcdefghijk">Video on YouTube</a></figure>',
        ),
        # Hugo
        (
            """{{< figure src="/a.png" alt="A map" title="Paths" caption="All of *them*" >}}

{{% highlight go %}}
x := 1
{{% /highlight %}}

{{< youtube abcdefghijk >}}

{{< x user="ann" id="123" >}}

Read [this]({{< relref "other.md" >}}), or write `{{</* figure */>}}`.""",
            '<figure><img alt="A map" src="https://b.example/a.png" />'
            "<figcaption><strong>Paths</strong> All of <em>them</em></figcaption></figure>"
            '<pre data-language="go"><code>x := 1</code></pre>'
            '<figure data-card="video">'
            '<a href="https://www.youtube.com/watch?v=abcdefghijk">Video on YouTube</a></figure>'
            '<figure data-card="post"><a href="https://x.com/ann/status/123">Post on X</a></figure>'
            '<p>Read <a href="https://b.example/posts/other/">this</a>, or write '
            "<code>{{&lt; figure &gt;}}</code>.</p>",
        ),
        # WordPress
        (
            """<!-- wp:paragraph -->
<p>Dear all,</p>
<!-- /wp:paragraph -->

[caption id="attachment_1" align="aligncenter" width="300"]<a href="/big.png"><img src="/a.png"
width="300"></a> A
view[/caption]

<!--more-->

[sourcecode language="python"]
a = b if a < b else b
[/sourcecode]

[embed]https://vimeo.com/123[/embed]

[gallery ids="1,2"]

<!-- wp:quote --><blockquote
class="wp-block-quote"><p>Go<br><br>on</p><cite>Ann</cite></blockquote><!-- /wp:quote -->""",
            '<p>Dear all,</p><figure><a href="https://b.example/big.png">'
            '<img alt="" src="https://b.example/a.png" width="300" />'
            "</a><figcaption>A⏎view</figcaption></figure>"
            '<pre data-language="python"><code>a = b if a &lt; b else b</code></pre>'
            '<figure data-card="video"><a href="https://vimeo.com/123">Video on Vimeo</a></figure>'
            "<blockquote><p>Go</p><p>on</p><p><cite>Ann</cite></p></blockquote>",
        ),
    ],
    ids=["ghost", "medium", "hugo", "wordpress"],
)
def test_a_whole_post_of_each_blog_engine(markdown: str, expected: str) -> None:
    """A post as each engine exports it reads as it did on the blog."""
    assert re.sub("(?<=>)⏎|⏎(?=<)", "", html(markdown)) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see http://a.example/b_c_d.", ["http://a.example/b_c_d"]),
        ("(http://a.example/b_(c)) and", ["http://a.example/b_(c)"]),
        ("“https://a.example”,HTTPS://b.example!", ["https://a.example", "HTTPS://b.example"]),
        ("xhttp://a.example http:// https://...", []),
        ("http://a.example/" + "b" * MAX_ADDRESS_CHARS, []),
        ("http://א.example/ב。http://c.example", ["http://א.example/ב", "http://c.example"]),
    ],
)
def test_addresses_end_where_readers_think(text: str, found: list[str]) -> None:
    """An address takes its own parentheses with it, not the sentence's marks, in any script."""
    assert [text[start:end] for start, end in addresses(text)] == found


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("~~a~~", "<del>a</del>"),
        ("*a*", "<em>a</em>"),
        ("_a_", "<em>a</em>"),
        ("`a`", "<code>a</code>"),
        ("a  \nb", "a<br />⏎b"),
        ("&copy;", "©"),
        (r"\#", "#"),
        ("<b>a</b>", "<strong>a</strong>"),
        ("[a](/b)", '<a href="https://b.example/b">a</a>'),
        ("http://a.example", '<a href="http://a.example">http://a.example</a>'),
        ("a\n- b", "a⏎- b"),
    ],
)
def test_each_mark_is_seen_alone(markdown: str, expected: str) -> None:
    """A paragraph with one mark, of any kind, is read as well as one with many."""
    assert html(markdown) == f"<p>{expected}</p>"


def test_texts_leave_nothing_to_the_next() -> None:
    """References, footnotes and stashed HTML of one text are unknown to the next, also after a failure."""
    rich = "[a][r] b[^1] <i>x</i>\n\n<div>y</div>\n\n> - c\n\n[r]: /r\n[^1]: note\n"
    alone = html("[a][r] b[^1] \x02wzxhzdk:0\x03 klzzwxh:0001")
    first = html(rich)
    assert html("[a][r] b[^1] \x02wzxhzdk:0\x03 klzzwxh:0001") == alone
    assert html(rich) == first
    with pytest.raises(ContentError):
        html(f"> {rich}\n\n" + "1. " * 5_000)
    assert html(rich) == first


def test_threads_read_for_themselves() -> None:
    """Texts read in several threads at once come out as if read one by one."""
    texts = [f"[a][r] b[^{n}]\n\n[r]: /{n}\n[^{n}]: note {n}" for n in range(20)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(html, texts)) == [html(text) for text in texts]


TOKENS = """
    {{ }} {% %} {{< >}} {%raw%} {%endraw%} {{site.url}} [caption] [/caption] [code] [/code] [[code]] [gallery]
    [python] <figure> </figure> <!-- --> <!- -> {: } {:.said} {::comment} {:/comment} ![ [ ] ]( ) [^1] [^1]:
    < > <div> </div> <pre> </pre> <svg> </svg> <math> </math> <title> </title> <video> </video> <noscript>
    <audio src=/a> <iframe src=/a> <script> </script> <img src=/a> <br> <table> <tr> <td> </table> <li>
    <div class=lineno> <div class=kg-bookmark-card> <!doctype html> http://a.example ** * _ ` ``` ~~ > - 1.
    | |-| # --- : \\ & &lt; $ \u202e
"""
GAPS = ["", " ", "\n", "\n\n", "\n    "]
PIECES = st.tuples(st.sampled_from(TOKENS.split()) | st.text(max_size=3), st.sampled_from(GAPS))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "<table><caption>Cap <b>words</b></caption><tr><td>a</td></tr></table>",
            "<p>Cap <strong>words</strong></p><table><tbody><tr><td>a</td></tr></tbody></table>",
        ),
        ('<div markdown="1">\n**a** [l](http://x.example/)\n</div>', "<strong>a</strong>"),
        ("<div markdown='block'>\n\n**a**\n\n</div>", "<strong>a</strong>"),
        ("> " * 100_000 + "deep", "deep"),
    ],
)
def test_what_stands_where_markdown_would_not_look(text: str, html: str) -> None:
    """Captions of tables, Markdown that kramdown is told to read, and quotations beyond all depth."""
    assert html in ET.tostring(to_tree(text, base_url=None), encoding="unicode")


@pytest.mark.parametrize("text", ["<br>Words", "<br><br>Words", "<p><br>\nWords</p>", "> <br>Words"])
def test_a_line_break_before_anything_is_no_gap(text: str) -> None:
    """Exporters leave them at the start of paragraphs."""
    assert "<br" not in ET.tostring(to_tree(text, base_url=None), encoding="unicode")


@given(st.lists(PIECES, max_size=40).map(lambda pieces: "".join(map("".join, pieces))))
@settings(max_examples=300, deadline=None)
def test_any_mixture_is_read(markdown: str) -> None:
    """Every form opened, closed, nested or broken anywhere gives a tree, and doubts that quote the text.

    What XML cannot hold is no text, and lines end in one way.
    """
    tree, doubts = read_markdown(markdown, base_url=BASE)
    text = re.sub("\r\n?", "\n", without_illegal(markdown))
    assert all(doubt.words in text for doubt in doubts)
    assert ET.fromstring(ET.tostring(tree, encoding="unicode")).tag == "div"


WORD = st.from_regex(r"[a-zא-ת]{1,8}", fullmatch=True)
SHAPES = [
    "{}",
    "**{}**",
    "> {}",
    "- {}",
    "## {}",
    "<p>{}</p>",
    "1. {}",
    "*[{}]*",
    "> > {}",
    "<div>\n\n{}\n\n</div>",
    "<blockquote><p>{}<br><br></p></blockquote>",
    "[caption]![](/a.png) {}[/caption]",
    "{{% raw %}}{}{{% endraw %}}",
    "{{::nomarkdown}}{}{{:/}}",
    "[{}](/a)",
    "<{} of>",
    "| a9 | b9 |\n|---|---|\n| {} | c9 |",
    "```\n{}\n```",
    "<table><tr><td><table><tr><td><p>{}</p></td></tr></table></td></tr></table>",
    "[[gallery {}]]",
    "<section><div><article>{}</article></div></section>",
    "<svg><title>{}</title><path/></svg>",
    "<math><mi>{}</mi></math>",
    "<noscript>{}</noscript>",
    "{}\n{{: .said}}",
    "<figure>\n{}\n</figure>",
    "a9[^{0}]\n\n[^{0}]: b9",
    "<pre class='brush: js'>{}</pre>",
    "<video>x9</video>{}",
    "{{{{ x }}}} {}",
]


@given(st.lists(st.tuples(WORD, st.sampled_from(SHAPES)), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_every_word_appears_once_in_order(parts: list[tuple[str, str]]) -> None:
    """Whatever form words stand in, each is read once, in the order of the post."""
    numbered = [(f"{word}q{number}q", shape) for number, (word, shape) in enumerate(parts)]
    text = plain(to_tree("\n\n".join(shape.format(word) for word, shape in numbered), base_url=BASE))
    expected = [word for word, shape in numbered if "[^{0}]" not in shape]
    assert re.findall(r"[a-zא-ת]+q\d+q", text) == expected
