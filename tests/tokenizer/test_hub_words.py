"""A tokenizer.json as ChatML needs it. Oracle: the package `tokenizers` itself, which a test trains on two lines."""

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from minqwen.tokenizer.hub_words import CONTROL, HubWords


def made(folder):
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer, library.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=list(CONTROL), initial_alphabet=alphabet)
    library.train_from_iterator(["To be, or not to be", "that is the question"], trainer)
    library.save(str(folder / "tokenizer.json"))
    return library


def test_text_has_the_ids_of_the_library_and_comes_back(tmp_path):
    library, words = made(tmp_path), HubWords(tmp_path)
    for text in ("To be, or not", "床前明月光", ""):
        assert words.encode(text) == library.encode(text).ids and words.decode(words.encode(text)) == text


def test_a_control_token_is_one_id_only_where_it_is_allowed(tmp_path):
    made(tmp_path)
    words = HubWords(tmp_path)
    assert words.control_ids == {token: i for i, token in enumerate(CONTROL)}
    for token, one in words.control_ids.items():
        assert words.encode(token, allow_control=True) == [one]
        assert one not in words.encode(token) and words.decode(words.encode(token)) == token
        assert one not in words.encode(f"say {token}", allow_control=True)
