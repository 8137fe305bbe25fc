"""What a model would say next, as words and shares."""

from jaxtyping import Float
from torch import Tensor

from minqwen.tokenizer import Tokenizer


def next_tokens(logits: Float[Tensor, " V"], tokenizer: Tokenizer, k: int = 5) -> list[tuple[str, float]]:
    """Print the k likeliest tokens with softmax(logits) of each, and return them."""
    shares, ids = logits.softmax(dim=-1).topk(k)
    said = [(tokenizer.token_text(i), share) for i, share in zip(ids.tolist(), shares.tolist())]
    print("next token:", ", ".join(f"{text!r} {share:.0%}" for text, share in said))
    return said
