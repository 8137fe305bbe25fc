"""The learning rate over a run: linear warm-up, then half a cosine down to a floor.

Loshchilov and Hutter 2017, "SGDR" (arXiv:1608.03983), section 3; the floor of 10 % from the Qwen Technical
Report (arXiv:2309.16609), section 2.4.
"""

import math


def cosine_schedule(step: int, warmup: int, total: int, peak: float, floor_share: float = 0.1) -> float:
    """peak · (step + 1) / warmup at first, then floor + (peak − floor) · (1 + cos(π · done)) / 2.

    The floor is floor_share · peak; `done` runs from 0 at the end of the warm-up to 1 at step `total`, and stays there.
    """
    if not 0 <= warmup < total:
        raise ValueError(
            f"warmup={warmup} must lie between 0 and total={total} steps; a hundredth of the run is usual: "
            f"{max(total, 1) // 100}"
        )
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min((step - warmup) / (total - warmup), 1.0)
    floor = floor_share * peak
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
