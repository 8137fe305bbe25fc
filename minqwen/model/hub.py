"""Names on the hub: "Qwen/Qwen2.5-0.5B" is fetched once, by huggingface-hub, and found in its cache afterwards.

https://huggingface.co/docs/huggingface_hub/guides/download
"""

import re
from pathlib import Path

WANTED = ["config.json", "*.safetensors", "model.safetensors.index.json"]


def find(folder: str | Path) -> Path:
    """The folder itself, or the folder that holds the model of this name."""
    if Path(folder).is_dir():
        return Path(folder)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(folder)):
        raise FileNotFoundError(
            f"there is no folder {folder}; give a model folder, or a name such as Qwen/Qwen2.5-0.5B"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ValueError(
            f"{folder} is no folder here, and names on the hub need huggingface-hub; pip install 'minqwen[real]'"
        ) from error
    try:
        return Path(snapshot_download(str(folder), allow_patterns=WANTED))
    except Exception as error:  # whatever the network, the hub and the disk may raise: the way out is the same
        raise ValueError(
            f"{folder} is no folder here and could not be fetched ({type(error).__name__}); check the name and "
            "the network and try again, what has arrived is kept; or give the folder of a model that you have"
        ) from error
