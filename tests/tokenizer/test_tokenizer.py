"""Text to ids and back. Oracles: HF `tokenizers` with the same merges, Python's own decoder, and NFC itself."""

import errno
import json
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

import minqwen.assets
from minqwen.data import corpus
from minqwen.tokenizer import CONTROL_TOKENS, Tokenizer, bpe, pretokenize
from minqwen.tokenizer import tokenizer as tokenizer_module

FOLDER = Path(minqwen.assets.__file__).parent / "tiny-qwen"
SHIPPED = Tokenizer.from_pretrained(FOLDER)
A_RUN = Tokenizer({**{bytes([i]): i for i in range(256)}, b"aa": 256, b"aaa": 257, b"ab": 258, b"bab": 259})


def unicode_of_bytes():
    """GPT-2's printable stand-ins for the 256 bytes, which HF's byte-level models use."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


@given(st.text())
def test_decode_gives_back_what_was_encoded_in_nfc(text):
    assert SHIPPED.decode(SHIPPED.encode(text)) == unicodedata.normalize("NFC", text)


@given(st.text(st.sampled_from("<|>endoftextim_start0 ")) | st.sampled_from(CONTROL_TOKENS))
def test_text_never_becomes_a_control_token(text):
    first_control = SHIPPED.vocab_size - len(CONTROL_TOKENS)
    assert all(i < first_control for i in SHIPPED.encode(text))


def test_ids_equal_those_of_hf_tokenizers():
    documents = [document.text for document in corpus.load("held_out", "en")[:7] + corpus.load("held_out", "zh")[:97]]
    words = Counter(word.encode() for text in documents for word in pretokenize.split_words(text))
    merges = bpe.learn_merges({tuple(word): times for word, times in words.items()}, 700)
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    ours = Tokenizer({token: rank for rank, token in enumerate(tokens)})

    stand_in = unicode_of_bytes()
    names = ["".join(stand_in[byte] for byte in token) for token in tokens]
    vocabulary = {name: rank for rank, name in enumerate(names)}
    peer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [(names[a], names[b]) for a, b in merges]))
    peer.normalizer = tokenizers.normalizers.NFC()
    peer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(pretokenize.PATTERN), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    for text in [*documents, "naïve cafe\u0301 😀\r\n\r\n  1616 , 'tis  it's IT'S\t"]:
        assert ours.encode(text) == peer.encode(text).ids


def test_control_tokens_are_read_when_asked_for():
    text = "<|im_start|>user\n<|endoftext|>x<|im_end|>"
    ids = SHIPPED.encode(text, allow_control=True)
    control = SHIPPED.control_ids
    assert ids == [
        control["<|im_start|>"],
        *SHIPPED.encode("user\n"),
        control["<|endoftext|>"],
        *SHIPPED.encode("x"),
        control["<|im_end|>"],
    ]
    assert SHIPPED.decode(ids) == text


def test_the_longest_control_token_is_read_first():
    tokenizer = Tokenizer(A_RUN.ranks, ["<|a", "<|a|>"])
    assert tokenizer.encode("<|a|><|a", allow_control=True) == [261, 260]


def test_a_vocabulary_without_control_tokens_reads_none():
    tokenizer = Tokenizer(A_RUN.ranks, [])
    assert tokenizer.encode("<|endoftext|>", allow_control=True) == tokenizer.encode("<|endoftext|>")


def test_a_hundred_thousand_letters_are_one_word_and_come_back():
    text = "a" * 100_000
    ids = A_RUN.encode(text)
    assert A_RUN.decode(ids) == text
    assert set(ids) == {256}


@pytest.mark.parametrize("text", ["", "\r\n", "\n\n\n", "  ", "\x00", "𠀀", "e\u0301", "👩‍👩‍👧"])
def test_odd_texts_come_back(text):
    assert SHIPPED.decode(SHIPPED.encode(text)) == unicodedata.normalize("NFC", text)


def test_part_of_a_character_can_be_shown():
    moon = list("月".encode())
    assert A_RUN.token_bytes(moon[0]) == b"\xe6"
    assert A_RUN.token_text(moon[0]) == r"\xe6"
    assert A_RUN.decode(moon[:2]) == "\ufffd"
    assert A_RUN.decode(moon) == "月"
    assert A_RUN.token_text(A_RUN.control_ids["<|im_end|>"]) == "<|im_end|>"


@pytest.mark.parametrize("token_id", [-1, 4096, 10**9])
def test_an_id_outside_the_vocabulary_is_refused(token_id):
    with pytest.raises(ValueError, match="give ids from 0 to 4095"):
        SHIPPED.decode([0, token_id])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("fine \ud83d", "fine \ufffd", id="half"),
        pytest.param("\ud83d\ude00", "😀", id="two halves that make a whole"),
        pytest.param("\udce9t\udce9", "\ufffdt\ufffd", id="bytes that were no UTF-8, kept by surrogateescape"),
    ],
)
def test_halves_of_surrogate_pairs_are_read_as_tiktoken_reads_them(text, read):
    assert SHIPPED.decode(SHIPPED.encode(text)) == read
    assert SHIPPED.encode(text) == SHIPPED.to_tiktoken().encode(text)


@given(st.lists(st.integers(0, SHIPPED.vocab_size - 1), max_size=40))
def test_the_pieces_of_a_stream_joined_are_the_text(ids):
    assert "".join(SHIPPED.stream(ids)) == SHIPPED.decode(ids)


@given(st.text())
def test_a_stream_of_whole_text_never_shows_half_a_character(text):
    ids = SHIPPED.encode(text)
    pieces = list(SHIPPED.stream(ids))
    assert len(pieces) == len(ids)
    assert "".join(pieces).count("\ufffd") == unicodedata.normalize("NFC", text).count("\ufffd")


def test_a_character_is_held_back_until_its_last_byte_is_there():
    moon = list("月a".encode())
    assert list(A_RUN.stream(moon)) == ["", "", "月", "a"]
    assert list(A_RUN.stream(moon[:2])) == ["", "", "\ufffd"]
    assert list(A_RUN.stream([moon[0], moon[3]])) == ["", "\ufffda"]


def test_a_stream_gives_each_piece_before_it_asks_for_the_next_id():
    asked = []

    def ids():
        for token_id in b"ab":
            asked.append(token_id)
            yield token_id

    pieces = A_RUN.stream(ids())
    assert (next(pieces), asked) == ("a", [97])


def test_tiktoken_takes_over_ranks_and_control_tokens():
    peer = SHIPPED.to_tiktoken("tiny")
    text = "<|im_start|>To be, or not\r\n床前明月光 2023 <|im_end|>"
    assert peer.encode(text, allowed_special="all") == SHIPPED.encode(text, allow_control=True)
    assert peer.encode(text, disallowed_special=()) == SHIPPED.encode(text)
    assert (peer.name, peer.n_vocab) == ("tiny", SHIPPED.vocab_size)


def test_control_tokens_take_the_ids_that_the_ranks_leave_free(tmp_path):
    gapped = {**A_RUN.ranks, b"bb": 262}  # 260 and 261 are free
    tokenizer = Tokenizer(gapped, ["<a>", "<b>"])
    assert tokenizer.control_ids == {"<a>": 260, "<b>": 261}
    assert tokenizer.decode([262, 261, 97]) == "bb<b>a"
    tokenizer.save_pretrained(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    assert (again.ranks, again.control_ids) == (tokenizer.ranks, tokenizer.control_ids)


def test_importing_the_tokenizer_loads_neither_tiktoken_nor_torch():
    script = "import sys, minqwen.tokenizer; print({'tiktoken', 'torch', 'lzma'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_saved_tokenizer_comes_back(tmp_path):
    A_RUN.save_pretrained(tmp_path / "new")
    again = Tokenizer.from_pretrained(tmp_path / "new")
    assert (again.ranks, again.control_ids) == (A_RUN.ranks, A_RUN.control_ids)
    assert (tmp_path / "new" / "tokenizer.tiktoken").read_text().splitlines()[97] == "YQ== 97"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["tokenizer.tiktoken", "tokenizer_config.json"]


def test_ranks_need_not_be_in_the_order_of_the_bytes():
    tokenizer = Tokenizer({**{bytes([i]): 255 - i for i in range(256)}, b"ab": 256}, [])
    assert tokenizer.encode("abc") == [256, 255 - 99]
    assert tokenizer.decode([256, 255 - 99]) == "abc"


def test_an_interrupted_save_leaves_the_old_files(tmp_path, monkeypatch):
    A_RUN.save_pretrained(tmp_path)
    monkeypatch.setattr(tokenizer_module.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        SHIPPED.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path).ranks == A_RUN.ranks


def test_a_full_disk_leaves_the_old_files_and_gets_its_room_back(tmp_path, monkeypatch):
    A_RUN.save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def half(path, text, **settings):
        path.write_bytes(text.encode()[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="No space left on device"):
        SHIPPED.save_pretrained(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("rows", [SHIPPED.vocab_size, SHIPPED.vocab_size + 128], ids=["as many rows", "padded"])
def test_a_model_beside_it_may_have_more_rows_than_there_are_tokens(tmp_path, rows):
    SHIPPED.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": rows}))
    assert Tokenizer.from_pretrained(tmp_path).vocab_size == SHIPPED.vocab_size


def test_a_model_beside_it_with_fewer_rows_is_refused_with_both_sizes(tmp_path):
    SHIPPED.save_pretrained(tmp_path)
    rows = SHIPPED.vocab_size - 1
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": rows}))
    with pytest.raises(ValueError, match=rf"has {rows + 1} tokens.* has {rows} rows .* take both from one model"):
        Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("contents", ["{}", "[]", "{", '{"vocab_size": "4096"}', '{"vocab_size": null}'])
def test_a_model_beside_it_that_is_damaged_is_the_business_of_its_own_loader(tmp_path, contents):
    SHIPPED.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(contents)
    assert Tokenizer.from_pretrained(tmp_path).ranks == SHIPPED.ranks


@pytest.mark.parametrize(
    ("name", "change", "way_out"),
    [
        pytest.param("tokenizer.tiktoken", lambda text: None, "give the folder that save_pretrained wrote", id="gone"),
        pytest.param("tokenizer_config.json", lambda text: None, "give the folder", id="no config"),
        pytest.param("tokenizer.tiktoken", lambda text: text[:-9], "fetch both files again", id="last line lost"),
        pytest.param("tokenizer.tiktoken", lambda text: text + "YWE= 9\n", "fetch the file again", id="repeated"),
        pytest.param("tokenizer.tiktoken", lambda text: text + "??? 260\n", "fetch the file again", id="no base64"),
        pytest.param("tokenizer.tiktoken", lambda text: text + "YW?M= 260\n", "fetch the file again", id="sign"),
        pytest.param("tokenizer.tiktoken", lambda text: text + " 260\n", "fetch the file again", id="no token"),
        pytest.param("tokenizer.tiktoken", lambda text: text + "YWI=\n", "fetch the file again", id="no rank"),
        pytest.param("tokenizer.tiktoken", lambda text: "\x00\xff" + text, "fetch the file again", id="binary"),
        pytest.param("tokenizer.tiktoken", lambda text: text[:700], "fetch both files again", id="half a file"),
        pytest.param("tokenizer_config.json", lambda text: text[:30], "write it again", id="half a config"),
        pytest.param("tokenizer_config.json", lambda text: "[1]", "write it again", id="a list"),
        pytest.param("tokenizer_config.json", lambda text: "{}", "write it again", id="no keys"),
        pytest.param(
            "tokenizer_config.json",
            lambda text: json.dumps({**json.loads(text), "control_tokens": [7]}),
            "write it again",
            id="a number as control token",
        ),
        pytest.param(
            "tokenizer_config.json",
            lambda text: json.dumps({**json.loads(text), "control_tokens": [""]}),
            "write it again",
            id="nothing as control token",
        ),
    ],
)
def test_a_damaged_folder_is_told_the_way_out(tmp_path, name, change, way_out):
    A_RUN.save_pretrained(tmp_path)
    changed = change((tmp_path / name).read_text())
    if changed is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(changed, encoding="utf-8")
    with pytest.raises(ValueError, match=way_out):
        Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("ranks", "control_tokens", "way_out"),
    [
        pytest.param({b"a": 0}, [], "begins with all 256", id="bytes missing"),
        pytest.param({**A_RUN.ranks, b"zz": 999}, [], "number the tokens without gaps", id="a gap"),
        pytest.param({**A_RUN.ranks, b"zz": 261}, ["<|x|>", "<|y|>"], "number the tokens without gaps", id="two gaps"),
        pytest.param({**A_RUN.ranks, b"zz": 259}, ["<|x|>"], "number the tokens without gaps", id="a rank twice"),
        pytest.param(A_RUN.ranks, ["<|x|>", "<|x|>"], "drop the doubles", id="a control token twice"),
    ],
)
def test_a_vocabulary_that_cannot_work_is_refused(ranks, control_tokens, way_out):
    with pytest.raises(ValueError, match=way_out):
        Tokenizer(ranks, control_tokens)
