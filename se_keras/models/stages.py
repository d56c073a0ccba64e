"""The blocks of a network that is made of stages."""

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Place:
    """The position of a block in a network.

    Attributes:
        stage: Number of its stage, from 1.
        block: Number of the block in its stage, from 1.
        stride: Stride of the block: the first block of a stage halves the feature map.
        depth: Position in the whole network, from 0, the first block, to 1, the last.
        first_dilation: Dilation of the block's first 3x3 convolution.
        dilation: Dilation of its other convolutions.
    """

    stage: int
    block: int
    stride: int
    depth: float
    first_dilation: int = 1
    dilation: int = 1

    @property
    def name(self) -> str:
        """Prefix of the names of the block's layers: `"stage1_block1"`."""
        return f"stage{self.stage}_block{self.block}"


def block_places(
    depths: tuple[int, ...],
    stride: int = 1,
    stem_stride: int = 1,
    output_stride: int | None = None,
) -> Iterator[Place]:
    """Yields the places of all blocks in order.

    Args:
        depths: Number of blocks of each stage.
        stride: Stride of the first stage; that of the others is 2.
        stem_stride: Stride of the feature map that the first stage gets.
        output_stride: Stride of the last feature map: where the strides of the stages
            would pass it, convolutions are dilated instead. Defaults to the product of
            all strides.
    """
    net_stride, dilation = stem_stride, 1
    total = max(sum(depths) - 1, 1)
    index = 0
    for stage, depth in enumerate(depths, 1):
        stage_stride, first_dilation = (stride if stage == 1 else 2), dilation
        if output_stride and net_stride * stage_stride > output_stride:
            stage_stride, dilation = 1, dilation * stage_stride
        net_stride *= stage_stride
        for block in range(1, depth + 1):
            first = block == 1
            yield Place(
                stage,
                block,
                stage_stride if first else 1,
                index / total,
                first_dilation if first else dilation,
                dilation,
            )
            index += 1
