"""The real Qwen vocabulary. Oracles: `tiktoken` with its own reading of the file, and Qwen's published examples."""

import lzma
import unicodedata
from itertools import pairwise

import pytest
import tiktoken
import tiktoken.load
from hypothesis import given
from hypothesis import strategies as st

from minqwen import assets
from minqwen.data import corpus
from minqwen.tokenizer import vocabulary

QWEN = vocabulary.qwen_tokenizer()
# As Qwen publishes it; tests/tokenizer/test_pretokenize.py holds ours against it too.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
HARD = {
    "English": "\n".join(document.text for document in corpus.load("held_out", "en")[:31]),
    "Chinese": "\n".join(document.text for document in corpus.load("held_out", "zh")[:211]),
    "code": "def f(x):\n    return {k: v**2 for k, v in x.items()}  # 0x1F\n\n\tif (a != b) { i++; }\r\n" * 3,
    "emoji": "👩‍👩‍👧 👍🏽 🇨🇳🇩🇪 😀😀😀 ☺️",
    "half a surrogate pair": "a\ud83d b \ude00\ud83d\ude00 \udcff",
    "line ends": "one\r\ntwo\n\r three\r\r\n\n  \r\n\t\n",
    "one letter, 100,000 times": "a" * 100_000,
    "one character, 30,000 times": "月" * 30_000,
    "blanks": " " * 10_000 + "x" + "\t" * 1_001,
    "numbers": "1616 3.14159 2023-09-28 ١٢٣ ²³ Ⅻ 〇",
    "decomposed": "e\u0301 a\u0308 가 \u1112\u1161\u11ab q\u0307\u0323",
    "signs": "don't DON'T I'LL 'tis ''' --- ... <|> <|im_start <|endoftext|",
    "other scripts": "Привет мир שלום عليكم สวัสดี 안녕하세요 こんにちは नमस्ते",
    "NUL and controls": "\x00\x01a\x00\x00\x7f\x85\u2028\ufeff",
    "control tokens' surface forms": " ".join(vocabulary.CONTROL_TOKENS) + "".join(vocabulary.CONTROL_TOKENS),
    "nothing": "",
}


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    """tiktoken, fed by its own loader: nothing of ours but the bytes of the file."""
    path = tmp_path_factory.mktemp("qwen") / "qwen.tiktoken"
    path.write_bytes(lzma.decompress((assets.QWEN_VOCABULARY / "qwen.tiktoken.xz").read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", "")
        ranks = tiktoken.load.load_tiktoken_bpe(str(path))
    control = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
    control |= {f"<|extra_{i}|>": 151646 + i for i in range(205)}
    return tiktoken.Encoding("qwen", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=control)


def test_there_are_151643_ranks_and_208_control_tokens():
    assert (len(QWEN.ranks), len(QWEN.control_ids), QWEN.vocab_size) == (151_643, 208, 151_851)
    assert [QWEN.control_ids[t] for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")] == [151643, 151644, 151645]
    assert (QWEN.control_ids["<|extra_0|>"], QWEN.control_ids["<|extra_204|>"]) == (151646, 151850)


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_ids_equal_those_of_tiktoken(text, peer):
    ids = QWEN.encode(text)
    assert ids == peer.encode(unicodedata.normalize("NFC", text), allowed_special=set(), disallowed_special=())
    assert max(ids, default=0) < 151_643
    assert QWEN.decode(ids) == peer.decode(ids)


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_ids_equal_those_of_tiktoken_where_control_tokens_are_read(text, peer):
    expected = peer.encode(unicodedata.normalize("NFC", text), allowed_special="all")
    assert QWEN.encode(text, allow_control=True) == expected


every_character = st.text(st.characters(exclude_categories=()))


@given(every_character | st.text(st.sampled_from("aA'sſ 1\t\r\n\u00a0\u3000月é\u0301<|>_m")))
def test_ids_equal_those_of_tiktoken_on_any_text(peer, text):
    normal = unicodedata.normalize("NFC", text)
    assert QWEN.encode(text) == peer.encode(normal, disallowed_special=())


@given(st.text())
def test_decode_gives_back_what_was_encoded_in_nfc(text):
    assert QWEN.decode(QWEN.encode(text)) == unicodedata.normalize("NFC", text)


@given(st.lists(st.integers(0, 151_850), max_size=30))
def test_any_ids_decode_as_in_tiktoken(peer, ids):
    assert QWEN.decode(ids) == peer.decode(ids) == "".join(QWEN.stream(ids))


def test_what_is_exported_is_what_tiktoken_reads_itself(peer):
    ours = QWEN.to_tiktoken("qwen")
    assert ours._mergeable_ranks == peer._mergeable_ranks
    assert ours._special_tokens == peer._special_tokens
    assert ours._pat_str == peer._pat_str


def test_user_text_cannot_inject_a_control_token():
    """The two examples of Qwen's tokenization_note.md."""
    text = 'print("<|endoftext|>")'
    assert QWEN.encode(text) == [1350, 9639, 91, 8691, 723, 427, 91, 82598]
    assert QWEN.encode(text, allow_control=True) == [1350, 445, 151643, 899]


def test_a_stop_word_may_be_cut_otherwise_at_the_end_of_a_line():
    """Qwen's react_prompt.md: the colon and the line end are one token."""
    assert QWEN.encode("Observation:") == [37763, 367, 25]
    assert QWEN.encode("Observation:\n") == [37763, 367, 510]


def test_no_token_holds_two_digits():
    digits = set(b"0123456789")
    assert [token for token in QWEN.ranks if sum(byte in digits for byte in token) > 1] == []
    assert [QWEN.ranks[str(digit).encode()] for digit in range(10)] == list(range(15, 25))


def test_a_token_may_be_part_of_a_character():
    assert QWEN.token_bytes(51461) == b" \xe6\xa0"
    assert list(QWEN.stream([51461])) == [" ", "\ufffd"]


def test_every_rank_is_two_lower_ranks_joined():
    """So that the merge rules need not be stored; checked on every 97th token."""
    for token, rank in list(QWEN.ranks.items())[256::97]:
        halves = [(QWEN.ranks.get(token[:i]), QWEN.ranks.get(token[i:])) for i in range(1, len(token))]
        assert any(a is not None and b is not None and max(a, b) < rank for a, b in halves)
    assert all(a < b for a, b in pairwise(QWEN.ranks.values()))
