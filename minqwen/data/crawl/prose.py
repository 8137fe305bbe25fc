"""Good texts of the mini-crawl, from the shipped corpus, and copies of them at a known similarity.

English pages hold speeches of plays as paragraphs, Chinese pages some poems; every third also says something about
them in today's words, so that not all modern prose is spam.
"""

import random
import re
import unicodedata
from collections.abc import Iterator

from minqwen.data import corpus

HAN = r"\u4e00-\u9fff"
TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
N = 5  # tokens in a shingle, when similarity is measured
LONG = {"en": 110, "zh": 130}  # tokens that a page has at least
REMARKS = {
    "en": (
        "We read this with our evening class last {month}, and {name} found the {adjective} lines the hardest.",
        "The passage is short, but {name} spent most of {month} on a note about its {adjective} middle.",
        "If you have a printed edition at hand, compare page {number}, where the order of the speeches differs.",
        "Some readers call the ending {adjective}; in our group {number} of us did not agree with them.",
        "A recording from {month} is in the library, read by {name} in a rather {adjective} voice.",
        "Please write to us if you know where the {adjective} word in the second paragraph comes from.",
        "The school used the text in {month}, together with {number} drawings that the pupils had made.",
        "{name} has added a map and a list of the persons; both are {adjective} and will be corrected.",
    ),
    "zh": (
        "这几首诗是我们读书会{month}一起读的，{name}觉得其中{adjective}的句子最难懂。",
        "{name}在{month}写过一篇笔记，谈到这里{adjective}的写法，可惜没有写完。",
        "手边有印刷本的读者可以对照第{number}页，那里的顺序和这里不同。",
        "有人说结尾太{adjective}了，我们小组里有{number}个人不同意这种看法。",
        "图书馆里有{month}的录音，由{name}朗读，声音很{adjective}。",
        "如果您知道第二首里那个{adjective}的字的来历，请写信告诉我们。",
        "学校在{month}用过这些诗，孩子们还画了{number}张画。",
    ),
}
BLANKS = {
    "en": {
        "month": ("January", "March", "April", "June", "September", "October", "November"),
        "name": ("Ada", "Mr Osei", "our neighbour", "Ines", "the new teacher", "Tomas", "Mrs Lindqvist"),
        "adjective": ("quiet", "strange", "bitter", "simple", "old", "careful", "cheerful", "uneven"),
    },
    "zh": {
        "month": ("一月", "三月", "四月", "六月", "九月", "十月", "去年冬天"),
        "name": ("王老师", "小林", "邻居", "陈先生", "新来的同学", "阿明"),
        "adjective": ("安静", "奇怪", "简单", "古老", "仔细", "朴素", "悲伤"),
    },
}


def passages(rng: random.Random, documents: list[corpus.Document], language: str) -> Iterator[list[str]]:
    """The paragraphs of one page after another, no text twice, until the documents end."""
    texts = [document.text for document in documents if document.language == language]
    rng.shuffle(texts)
    parts: list[str] = []
    for text in texts:
        parts += speeches(text) if language == "en" else text.split("\n")
        if len(tokens(" ".join(parts))) >= LONG[language]:
            yield parts[:8] if language == "en" else parts
            parts = []


def speeches(text: str) -> list[str]:
    """What is said in a scene, a paragraph for every 30 words or more, without names and stage directions."""
    paragraphs = [""]
    for block in text.split("\n\n")[1:]:
        said = [line for line in block.split("\n") if not line.isupper() and not re.match(r"[\[(]|Enter|Exit", line)]
        paragraphs[-1] = " ".join([paragraphs[-1], *said]).strip()
        paragraphs += [""] if len(paragraphs[-1].split()) >= 30 else []
    return [paragraph for paragraph in paragraphs if paragraph]


def remarks(rng: random.Random, language: str, count: int) -> str:
    """A paragraph of sentences about a text, as a reading circle would write them."""
    blanks = {key: rng.choice(values) for key, values in BLANKS[language].items()} | {"number": rng.randrange(2, 300)}
    return ("" if language == "zh" else " ").join(s.format(**blanks) for s in rng.sample(REMARKS[language], k=count))


def tokens(text: str) -> list[str]:
    """Words in small letters, and Chinese characters one by one."""
    return TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


def jaccard(a: str, b: str) -> float:
    """|A ∩ B| / |A ∪ B| of the runs of five tokens, counted out."""
    left, right = ({tuple(t[i : i + N]) for i in range(len(t) - N + 1)} for t in (tokens(a), tokens(b)))
    return len(left & right) / len(left | right)


def near_copy(rng: random.Random, paragraphs: list[str], target: float) -> list[str]:
    """The paragraphs with single words replaced by others of the text, until the similarity is nearest to the target.

    A word stands in five shingles, so k words far apart leave (n - 5k) / (n + 5k) of n shingles.
    """
    text = "\n".join(paragraphs)
    places = [match.span() for match in TOKEN.finditer(text)]
    words = [text[start:end] for start, end in places]
    changed: dict[int, str] = {}
    best, found = text, 1.0
    for i in sorted(range(2, len(places) - 2), key=lambda i: (i % (2 * N) != 2, rng.random())):
        changed[i] = rng.choice([word for word in words if word.casefold() != words[i].casefold()])
        copy = _with(text, places, changed)
        similarity = jaccard(text, copy)
        if abs(similarity - target) <= abs(found - target):
            best, found = copy, similarity
        if similarity <= target:
            break
    return best.split("\n")


def exact_copy(rng: random.Random, paragraphs: list[str]) -> list[str]:
    """The paragraphs in other signs and letters: what normalisation makes equal again."""
    changes = [
        lambda s: s.replace("，", ",").replace("。", ". ").replace("；", ";"),
        lambda s: s.replace("'", "’").replace("--", " — "),
        str.upper,
        lambda s: s.replace(", ", " , ").replace("，", "， "),
        lambda s: "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalpha() else c for c in s),
    ]
    change = rng.choice(changes)
    return [change(paragraph) for paragraph in paragraphs]


def _with(text: str, places: list[tuple[int, int]], changed: dict[int, str]) -> str:
    for i in sorted(changed, reverse=True):
        start, end = places[i]
        text = text[:start] + changed[i] + text[end:]
    return text
