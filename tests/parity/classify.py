"""Runs exported files in a process that has one runtime.

python classify.py READER IMAGES MODEL...

READER is mediapipe, interpreter, compiled_model, onnx_runtime or openvino_runtime.
IMAGES is a folder of PNG files for MediaPipe, else an .npy file. Prints a list with
`names`, the best of each image, and `scores` of each MODEL, or with an `error`.
"""

import json
import pathlib
import sys
import zipfile

import numpy as np

READER, IMAGES, *MODELS = sys.argv[1:]


def mediapipe(path):
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=path))
    names, scores = [], []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for file in sorted(pathlib.Path(IMAGES).glob("*.png")):
            result = classifier.classify(mp.Image.create_from_file(str(file)))
            (head,) = result.classifications
            names.append(head.categories[0].category_name)
            ordered = sorted(head.categories, key=lambda category: category.index)
            scores.append([category.score for category in ordered])
    return names, scores


def named(path, scores):
    with zipfile.ZipFile(path) as archive:
        labels = archive.read("labels.txt").decode().splitlines()
    return [labels[np.argmax(row)] for row in scores], [row.tolist() for row in scores]


def interpreter(path):
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(path)
    model.allocate_tensors()
    (source,), (target,) = model.get_input_details(), model.get_output_details()

    def run(image):
        model.set_tensor(source["index"], image[None])
        model.invoke()
        return model.get_tensor(target["index"])[0]

    return named(path, [run(image) for image in np.load(IMAGES)])


def compiled_model(path):
    from ai_edge_litert.compiled_model import CompiledModel

    model = CompiledModel.from_file(path)
    (source,), (target,) = model.create_input_buffers(0), model.create_output_buffers(0)
    (details,) = model.get_output_tensor_details("serving_default").values()
    classes = int(np.prod(details["shape"]))

    def run(image):
        source.write(np.ascontiguousarray(image[None]))
        model.run_by_index(0, [source], [target])
        return target.read(classes, np.float32)

    return named(path, [run(image) for image in np.load(IMAGES)])


def of_record(text, scores):
    labels = json.loads(text)["class_names"]
    return [labels[np.argmax(row)] for row in scores], [row.tolist() for row in scores]


def onnx_runtime(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    (source,) = session.get_inputs()
    (scores,) = session.run(None, {source.name: np.load(IMAGES)})
    facts = session.get_modelmeta().custom_metadata_map
    return of_record(facts["se_keras.json"], scores)


def openvino_runtime(path):
    import openvino

    folder = pathlib.Path(path)
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(folder / "model.xml", "CPU", settings)
    facts = folder / "assets.extra" / "se_keras.json"
    return of_record(facts.read_text(), model(np.load(IMAGES))[0])


def answer(path):
    try:
        names, scores = globals()[READER](path)
    except Exception as error:
        return {"error": str(error), "names": None, "scores": None}
    return {"error": None, "names": names, "scores": scores}


print(json.dumps([answer(path) for path in MODELS]))
