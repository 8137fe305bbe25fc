"""From a model of text to an assistant, section 3 of the Qwen Technical Report (arXiv:2309.16609), part by part."""
