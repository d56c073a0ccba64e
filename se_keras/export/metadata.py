"""What is stored with an exported model in addition to its weights."""

import dataclasses
import json
import math
from typing import Any

from se_keras.models.preprocessing import Preprocessing

# Largest height and width that metadata may state, in pixels: TensorFlow decodes no
# larger JPEG files.
LARGEST_SIZE = 2**16
OUTPUT_NAME = "scores"


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

    @property
    def input_name(self) -> str:
        """Name of the input of the exported model.

        It is another one for pixels: a program that was written for one kind of export
        cannot be given the other.
        """
        return "pixels" if self.normalizes else "images"

    def to_dict(self) -> dict[str, Any]:
        """Returns the metadata as plain data for JSON."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """Returns the metadata as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, fields: Any) -> "Metadata":
        """Returns the metadata that `to_dict` returned, also after JSON.

        Raises:
            ValueError: If a field is missing or not of its type: the file may be from
                anybody.
        """
        if not isinstance(fields, dict):
            raise ValueError(f"Expected an object. Received: a {type(fields).__name__}")
        names = fields.get("class_names")
        if names is not None and not (_are(names, str) and names):
            raise ValueError("Expected class_names to be strings. Received: others")
        if not isinstance(fields.get("normalizes"), bool):
            raise ValueError(
                "Expected normalizes to be true or false. "
                f"Received: {_short(fields.get('normalizes'))}"
            )
        preprocessing = fields.get("preprocessing")
        return cls(
            names and tuple(names),
            None if preprocessing is None else _preprocessing(preprocessing),
            fields["normalizes"],
        )

    @classmethod
    def from_json(cls, text: str) -> "Metadata":
        """Returns the metadata that `to_json` wrote.

        Raises:
            ValueError: As `from_dict`, or if it is not JSON.
        """
        return cls.from_dict(json.loads(text))


def _preprocessing(fields) -> Preprocessing:
    expected = {field.name for field in dataclasses.fields(Preprocessing)}
    if not isinstance(fields, dict) or set(fields) != expected:
        raise ValueError(
            f"Expected a preprocessing with {', '.join(sorted(expected))}. "
            f"Received: {_short(fields)}"
        )
    numbers = fields["mean"], fields["std"], [fields["crop"]]
    if not all(_are(values, int, float) for values in numbers) or not all(
        value > 0 for value in fields["std"]
    ):
        raise ValueError(
            "Expected mean, std and crop of a preprocessing to be finite numbers, and "
            "std to be positive. "
            f"Received: {_short(fields)}"
        )
    if not _are(fields["size"], int) or max(fields["size"], default=0) > LARGEST_SIZE:
        raise ValueError(
            f"Expected a preprocessing of at most {LARGEST_SIZE} pixels in height and "
            f"width. Received: size={_short(fields['size'])}"
        )
    return Preprocessing.from_dict(fields)


def _are(values, *kinds) -> bool:
    """Returns whether a value is a sequence of values of these types, all finite."""
    return isinstance(values, list | tuple) and all(
        type(value) in kinds and (isinstance(value, str) or math.isfinite(value))
        for value in values
    )


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
