"""How the sites of the mini-crawl wrap a text: ten templates, menus and banners, broken markup, encodings, hazards.

The templates are split as the domains are: what is tested stands in markup that nothing was fitted on.
"""

import gzip
import html
import random
from typing import NamedTuple

MENUS = {
    "en": ("Home", "News", "Archive", "About us", "Contact", "Sign in", "Shop", "Events", "Newsletter"),
    "zh": ("首页", "新闻", "关于我们", "联系方式", "登录", "论坛", "下载", "活动"),
}
BANNERS = {
    "en": "We use cookies to improve your experience. By staying here you accept our cookie policy.",
    "zh": "本网站使用cookie来改善您的体验，继续浏览即表示您同意我们的隐私政策。",
}
FOOTERS = {
    "en": "Copyright 2026. All rights reserved. Terms of use.",
    "zh": "版权所有 2026。服务条款。网站备案号 1234567。",
}
SCRIPT = "<script>window.dataLayer = window.dataLayer || []; function track(e) { dataLayer.push(e); }</script>"

# {menu} is a list of links, {banner} and {footer} a line each, {body} the paragraphs.
TEMPLATES = {
    "train": (
        "<header><nav><ul>{menu}</ul></nav></header><main><article>{body}</article></main><footer>{footer}</footer>",
        "<div id='cookie-banner'>{banner}</div><div class='menu'><ul>{menu}</ul></div><div id='content'>{body}</div>"
        "<div id='footer'>{footer}</div>",
        "<table><tr><td class='side'><ul>{menu}</ul></td><td><div class='entry-content'>{body}</div></td></tr></table>",
        "<div class='wrapper'><div class='nav'><ul>{menu}</ul></div><div class='post'>{body}</div>"
        "<div class='related'><ul>{menu}</ul></div></div><footer>{footer}</footer>",
        "<nav>{menu}</nav><section class='article-body'>{body}</section><div class='cookie'>{banner}</div>",
        "<div><ul class='breadcrumb'>{menu}</ul></div><div class='text'>{body}</div><p class='copyright'>{footer}</p>",
    ),
    "test": (
        "<div class='topbar'><ul>{menu}</ul></div><div role='main'><div class='story'>{body}</div></div>"
        "<footer><p>{footer}</p></footer>",
        "<aside><ul>{menu}</ul></aside><article class='hentry'><div class='entry'>{body}</div></article>"
        "<div class='gdpr'>{banner}</div>",
        "<div id='page'><div id='left'><ul>{menu}</ul></div><div id='main-content'>{body}</div><div id='bottom'>{footer}</div></div>",  # noqa: E501
        "<header><ul>{menu}</ul></header><main><section>{body}</section></main><div class='legal'>{footer}</div>",
    ),
}


class Wrapped(NamedTuple):
    """The bytes of a page and the header that its server sends along."""

    html: bytes
    content_type: str


def wrap(rng: random.Random, title: str, paragraphs: list[str], template: str, menu: str, codec: str) -> Wrapped:
    """A page in this template with menus of one language ("en" or "zh"), in an encoding that it may lie about."""
    body = _paragraphs(rng, paragraphs)
    links = "".join(f"<li><a href='/{i}'>{word}</a></li>" for i, word in enumerate(rng.sample(MENUS[menu], k=6)))
    filled = template.format(menu=links, banner=BANNERS[menu], footer=FOOTERS[menu], body=body)
    declared = rng.choice((codec, codec, "", "utf-8" if codec != "utf-16" else ""))
    meta = f"<meta charset='{declared}'>" if declared and rng.random() < 0.7 else ""
    head = f"<!DOCTYPE html><html><head>{meta}<title>{html.escape(title)}</title>{SCRIPT}</head>"
    raw = f"{head}<body>{filled}</body></html>".encode(codec, "xmlcharrefreplace")
    # A page in one byte a letter that nobody declares as such cannot be read; its server says so.
    server = codec if codec in ("koi8-r", "shift_jis", "euc-kr") else rng.choice(("", "", codec, "iso-8859-1"))
    content_type = f"text/html; charset={server}" if server else "text/html"
    return Wrapped(gzip.compress(raw, mtime=0) if rng.random() < 0.05 else raw, content_type)


def _paragraphs(rng: random.Random, paragraphs: list[str]) -> str:
    """In <p>, in <div>, or divided by <br>; one in seven pages is broken: nothing is closed, or closed twice."""
    escaped = [html.escape(paragraph, quote=False) for paragraph in paragraphs]
    form = rng.random()
    if form < 0.07:
        return "<p>" + "<p>".join(escaped)
    if form < 0.14:
        return "".join(f"<p><b><p>{paragraph}</i></p></div>" for paragraph in escaped)
    if form < 0.25:
        return "<p>" + "<br>\n".join(escaped) + "</p>"
    if form < 0.35:
        return "".join(f"<div>{paragraph}</div>" for paragraph in escaped)
    return "\n".join(f"<p>{paragraph}</p>" for paragraph in escaped)


def hazard(rng: random.Random, reason: str) -> bytes:
    """A page that must be refused for this reason, one of `html.REASONS`."""
    text = b"<html><body><p>" + b"A text that nobody will get to read. " * rng.randrange(3, 30)
    depth, tags, size = (rng.randrange(low, 2 * low) for low in (10_000, 50_000, 1_200_000))
    return {
        "empty": b" \n" * rng.randrange(9),
        "too_large": gzip.compress(b"0" * size, mtime=0) if rng.random() < 0.5 else text + b" and so on" * (size // 10),
        "broken_gzip": gzip.compress(text + rng.randbytes(99), mtime=0)[:-30],
        "binary": b"\x89PNG\r\n\x1a\n" + rng.randbytes(999),
        "entities": b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + text,
        "too_deep": b"<div>" * depth + text,
        "too_many_tags": b"<br>" * tags + text,
        "no_text": b"<html><body><img src='cat.jpg'></body></html>",
    }[reason]


HAZARDS = ("empty", "too_large", "broken_gzip", "binary", "entities", "too_deep", "too_many_tags", "no_text")
