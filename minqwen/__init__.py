"""minqwen: how Qwen-like models really work, in code short enough to read.

The letters of every shape in this package:

    B  sequences in a batch          H  attention heads        V  vocabulary size
    T  query positions (time)        D  width of one head      F  width of the MLP
    S  key and value positions       C  model width, H * D     R  rank of an adapter

Contents, in the order of the Qwen Technical Report (arXiv:2309.16609):

    tokenizer   section 2.2: byte-level BPE
    data        section 2.1: the corpus, and how a crawl becomes one: reading, near-duplicates, rules, decontamination
    model       sections 2.3 and 2.4: the Transformer and its training
    align       section 3: conversations, preferences, reinforcement learning
    adapt       section 6.2: LoRA, 4 bits, QLoRA, what memory they need
    prompt      sections 3.4 and 6: questions and tools put into words
    check       exercises that say which mistake was made
    show        pictures and controls
"""
