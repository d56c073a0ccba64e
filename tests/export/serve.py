"""Runs an exported model with one library alone.

python serve.py (tensorflow | ai_edge_litert) MODEL PIXELS.npy SCORES.npy
"""

import sys

import numpy as np

LIBRARY, MODEL, PIXELS, SCORES = sys.argv[1:]
ABSENT = {"keras", "se_keras", "tf_keras", "tensorflow", "ai_edge_litert"} - {LIBRARY}
for _name in ABSENT:
    sys.modules[_name] = None  # an import of it fails


def tensorflow(pixels):
    import tensorflow as tf

    loaded = tf.saved_model.load(MODEL)
    # Batches of several sizes, one of them of a single image.
    parts = [loaded.serve(part) for part in np.split(pixels, [1, 6, 100])]
    signature = loaded.signatures["serving_default"]
    (again,) = signature(tf.constant(pixels[:3])).values()
    np.testing.assert_allclose(again, np.concatenate(parts)[:3], atol=1e-5)
    return np.concatenate(parts)


def ai_edge_litert(pixels):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(MODEL)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (target,) = interpreter.get_output_details()

    def scores(image):
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])[0]

    return np.stack([scores(image) for image in pixels])


np.save(SCORES, globals()[LIBRARY](np.load(PIXELS)))
assert not any(sys.modules.get(name) for name in ABSENT)
