// A classifier of images from a TFLite file, run by LiteRT.js.

import { UsageError } from "./errors.js";
import { readImage } from "./images.js";
import { readMetadata } from "./metadata.js";

const WASM = new URL("./node_modules/@litertjs/core/wasm/", import.meta.url).href;

/**
 * Loads a classifier.
 *
 * @param {Uint8Array} bytes - A file that `se_keras.export.tflite` wrote.
 * @returns {Promise<Classifier>}
 */
export async function loadClassifier(bytes) {
  const metadata = await readMetadata(bytes);
  const liteRt = await startLiteRt();
  const model = await orRefused(() =>
    liteRt.loadAndCompile(bytes, { accelerator: "wasm" }),
  );
  const classifier = new Classifier(liteRt, model, metadata);
  try {
    checkInput(model, metadata);
    await classifier.warmUp();
  } catch (error) {
    classifier.delete();
    throw error;
  }
  return classifier;
}

class Classifier {
  #liteRt;
  #model;
  #metadata;

  constructor(liteRt, model, metadata) {
    this.#liteRt = liteRt;
    this.#model = model;
    this.#metadata = metadata;
  }

  /** The preprocessing of the network. */
  get preprocessing() {
    return this.#metadata.preprocessing;
  }

  /**
   * Classifies an image file.
   *
   * @param {Blob} blob - A JPEG, PNG, WebP, GIF or BMP file.
   * @returns {Promise<{classes: {name: string, score: number}[],
   *     milliseconds: number, pixels: Float32Array}>} The classes, highest score
   *     first; how long the network took; and its input in 0..255.
   */
  async classify(blob) {
    const pixels = await readImage(blob, this.preprocessing);
    const start = performance.now();
    const scores = toScores(await this.#run(pixels));
    const milliseconds = performance.now() - start;
    const classes = Array.from(scores, (score, index) => ({
      name: this.#metadata.class_names?.[index] ?? `class ${index}`,
      score,
    })).sort((a, b) => b.score - a.score);
    return { classes, milliseconds, pixels };
  }

  /** Runs the network on zeros: the first run takes many times as long as others. */
  async warmUp() {
    const { size, mean } = this.preprocessing;
    await this.#run(new Float32Array(size[0] * size[1] * mean.length));
  }

  delete() {
    this.#model.delete();
  }

  async #run(pixels) {
    const [{ dtype, shape }] = this.#model.getInputDetails();
    const values = this.#metadata.normalizes
      ? pixels
      : normalize(pixels, this.preprocessing);
    const input = new this.#liteRt.Tensor(ofType(dtype, values), Array.from(shape));
    let outputs = [];
    try {
      outputs = await orRefused(() => this.#model.run([input]));
      return await outputs[0].data();
    } finally {
      [input, ...outputs].forEach((tensor) => tensor.delete());
    }
  }
}

let started = null;
let logged = [];

/** Returns LiteRT.js with its WebAssembly module, which is loaded once. */
function startLiteRt() {
  started ??= import("@litertjs/core").then(async (liteRt) => {
    // LiteRT.js passes this object to the WebAssembly module.
    self.Module = { printErr: log };
    await liteRt.loadLiteRt(WASM);
    return liteRt;
  });
  return started.catch((error) => {
    started = null;
    throw new UsageError(
      `Expected LiteRT.js: run npm install in the page's directory. Received: ${error}`,
    );
  });
}

function log(line) {
  console.debug(line);
  if (line.startsWith("ERROR")) logged.push(line);
}

/** Returns the result of LiteRT.js, or throws its reason to refuse the model. */
async function orRefused(task) {
  logged = [];
  let error;
  const result = await task().catch((thrown) => (error = thrown));
  // LiteRT.js reports some failures in its log only, and returns as an output what was
  // in memory.
  const reason = logged[0] ?? error;
  if (reason) {
    // Nothing collects the garbage in the memory of the WebAssembly module.
    if (!error) [result].flat().forEach((each) => each.delete());
    throw new UsageError(`Expected a model that LiteRT.js runs. Received: ${reason}`);
  }
  return result;
}

function checkInput(model, { preprocessing: { size, mean }, normalizes }) {
  const expected = [1, ...size, mean.length].join(" x ");
  const inputs = model.getInputDetails();
  const received = inputs.map(({ shape }) => shape.join(" x "));
  if (received.length !== 1 || received[0] !== expected) {
    throw new UsageError(
      `Expected a model of one image, ${expected}. Received: ${received.join(", ")}`,
    );
  }
  if (inputs[0].dtype !== "float32" && !normalizes) {
    // LiteRT.js doesn't report the scale that normalized values have as integers.
    throw new UsageError(
      "Expected a quantized model that normalizes its images " +
        "(include_preprocessing=True). Received: one of normalized images",
    );
  }
}

function normalize(pixels, { mean, std }) {
  const channels = mean.length;
  return pixels.map(
    (pixel, i) => (pixel / 255 - mean[i % channels]) / std[i % channels],
  );
}

/** Returns pixels in the type of the model's input, uint8 for quantized models. */
function ofType(dtype, values) {
  if (dtype === "float32") return values;
  if (dtype === "uint8") return Uint8Array.from(values, Math.round);
  throw new UsageError(`Expected an input of float32 or uint8. Received: ${dtype}`);
}

/** Returns outputs as scores in 0..1. */
function toScores(outputs) {
  // LiteRT.js doesn't report the scale of a quantized output: the sum is used instead.
  if (!(outputs instanceof Float32Array)) return normalizeSum(Array.from(outputs));
  if (outputs.every((value) => value >= 0 && value <= 1)) return outputs;
  // A network without a softmax returns logits.
  const largest = Math.max(...outputs);
  return normalizeSum(Array.from(outputs, (value) => Math.exp(value - largest)));
}

function normalizeSum(values) {
  const sum = values.reduce((a, b) => a + b);
  return values.map((value) => value / sum);
}
