"""The real Qwen vocabulary: 151,643 byte strings and 208 control tokens.

Bai et al. 2023, "Qwen Technical Report" (arXiv:2309.16609), section 2.2; the control tokens are those of
https://github.com/QwenLM/Qwen/blob/main/tokenization_note.md. Origin and licence of the file: minqwen/assets/README.md.
"""

import lzma

from minqwen import assets
from minqwen.tokenizer import Tokenizer
from minqwen.tokenizer import ranks as rank_files

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(205)))


def qwen_tokenizer() -> Tokenizer:
    """The tokenizer of the first Qwen, from the file that the course ships. Reading takes 0.2 s: keep it."""
    packed = (assets.QWEN_VOCABULARY / "qwen.tiktoken.xz").read_bytes()
    return Tokenizer(rank_files.parse_ranks(lzma.decompress(packed).decode("ascii")), CONTROL_TOKENS)
