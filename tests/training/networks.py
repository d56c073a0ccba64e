"""A network that trains in seconds."""

import contextlib
import dataclasses

from se_keras.models import register
from se_keras.models.registry import lookup
from tests.helpers import own_networks

SMALL = "se_resnet8"


@contextlib.contextmanager
def small_network():
    """Registers `se_resnet8`, one block a stage, for a while."""
    with own_networks():
        spec = lookup("se_resnet20").spec
        register(SMALL, dataclasses.replace(spec, depths=(1, 1, 1)))
        yield
