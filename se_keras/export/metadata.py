"""What is stored with an exported model in addition to its weights."""

import dataclasses
import json

from se_keras.models.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a program has to know to use an exported model on an image file.

    Attributes:
        class_names: Names in the order of the outputs, or `None`.
        preprocessing: What the network expects, or `None`.
        normalizes: Whether the exported model takes pixels in 0..255 and normalizes
            them itself; else it takes normalized images.
    """

    class_names: tuple[str, ...] | None
    preprocessing: Preprocessing | None
    normalizes: bool

    def to_json(self) -> str:
        """Returns the metadata as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Metadata":
        """Returns the metadata that `to_json` wrote."""
        fields = json.loads(text)
        return cls(
            fields["class_names"] and tuple(fields["class_names"]),
            fields["preprocessing"]
            and Preprocessing.from_dict(fields["preprocessing"]),
            fields["normalizes"],
        )
