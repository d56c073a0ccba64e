"""What the settings of a run are about, declared in the type of each field.

epochs: Annotated[int, Subject.SCHEDULE, POSITIVE]
"""

import enum


class Subject(enum.Enum):
    """A subject of settings; `--help` lists the flags by subject, in this order."""

    DATA = "data"
    MODEL = "model and weights"
    SCHEDULE = "length and learning rate"
    OPTIMIZATION = "optimization"
    LOSS = "loss"
    AUGMENTATION = "augmentation"
    EVALUATION = "evaluation and exports"
    RUNTIME = "runtime"
    CLUSTER = "several machines"
    OTHER = "other"
