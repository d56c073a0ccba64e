"""The places of the blocks of a network that is made of stages."""

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class BlockPlace:
    """Where a block is.

    Attributes:
        name: Prefix of the names of its layers: `"stage1_block1"`.
        stage: Number of its stage, from 1.
        stride: Its stride: the first block of a stage halves the image.
    """

    name: str
    stage: int
    stride: int


def block_places(depths: tuple[int, ...], stride: int = 1) -> Iterator[BlockPlace]:
    """Yields the places of all blocks in order.

    Args:
        depths: Number of blocks of each stage.
        stride: Stride of the first stage; that of the others is 2.
    """
    for stage, depth in enumerate(depths, 1):
        for block in range(1, depth + 1):
            here = 1 if block > 1 else stride if stage == 1 else 2
            yield BlockPlace(f"stage{stage}_block{block}", stage, here)
