"""What travels with an exported model beside its weights."""

import dataclasses
import json

from se_keras.models.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a program must know to use an exported model on an image file.

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
        """Returns the record as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Metadata":
        """Returns the record that `to_json` wrote."""
        record = json.loads(text)
        return cls(
            record["class_names"] and tuple(record["class_names"]),
            record["preprocessing"]
            and Preprocessing.from_dict(record["preprocessing"]),
            record["normalizes"],
        )
