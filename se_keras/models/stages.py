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
        depth: Where it is, from 0, the first block of all, to 1, the last.
    """

    name: str
    stage: int
    stride: int
    depth: float


def block_places(depths: tuple[int, ...], stride: int = 1) -> Iterator[BlockPlace]:
    """Yields the places of all blocks in order.

    Args:
        depths: Number of blocks of each stage.
        stride: Stride of the first stage; that of the others is 2.
    """
    for stage, depth in enumerate(depths, 1):
        for block in range(1, depth + 1):
            here = 1 if block > 1 else stride if stage == 1 else 2
            share = relative_depth(depths, stage, block)
            yield BlockPlace(f"stage{stage}_block{block}", stage, here, share)


def relative_depth(depths: tuple[int, ...], stage: int, block: int) -> float:
    """Returns where a block is, from 0, the first block of all, to 1, the last.

    Args:
        depths: Number of blocks of each stage.
        stage: Number of its stage, from 1.
        block: Its number in the stage, from 1.
    """
    return (sum(depths[: stage - 1]) + block - 1) / max(sum(depths) - 1, 1)
