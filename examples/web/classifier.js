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

  /** What an image goes through before the network. */
  get preprocessing() {
    return this.#metadata.preprocessing;
  }

  /**
   * Classifies an image file.
   *
   * @param {Blob} blob - A JPEG, PNG, GIF or BMP file.
   * @returns {Promise<{classes: {name: string, score: number}[],
   *     milliseconds: number, pixels: Float32Array}>} The classes, highest score
   *     first; how long the network took; and what it saw.
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

  /** Runs the network on nothing: the first run takes many times as long as others. */
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
    // What it hands to the WebAssembly module.
    self.Module = { printErr: log };
    await liteRt.loadLiteRt(WASM);
    return liteRt;
  });
  return started.catch((error) => {
    started = null;
    throw new UsageError(
      `Expected LiteRT.js: run npm install beside the page. Received: ${error}`,
    );
  });
}

function log(line) {
  console.debug(line);
  if (line.startsWith("ERROR")) logged.push(line);
}

/** Returns what LiteRT.js does, or throws what it has against the model. */
async function orRefused(task) {
  logged = [];
  let error;
  const result = await task().catch((thrown) => (error = thrown));
  // Of some failures there is nothing but the log: it goes on, and gives as an output
  // what was in memory.
  const reason = logged[0] ?? error;
  if (reason) {
    // What lies in the memory of the WebAssembly module nothing collects.
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
    // LiteRT.js doesn't tell the scale that normalized values have as integers.
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

/** Returns pixels in the type of the model's input; quantized ones take bytes. */
function ofType(dtype, values) {
  if (dtype === "float32") return values;
  if (dtype === "uint8") return Uint8Array.from(values, Math.round);
  throw new UsageError(`Expected an input of float32 or uint8. Received: ${dtype}`);
}

/** Returns outputs as scores in 0..1. */
function toScores(outputs) {
  // LiteRT.js doesn't tell the scale of a quantized output, so the sum has to.
  if (!(outputs instanceof Float32Array)) return share(Array.from(outputs));
  if (outputs.every((value) => value >= 0 && value <= 1)) return outputs;
  // A network without a softmax gives logits.
  const largest = Math.max(...outputs);
  return share(Array.from(outputs, (value) => Math.exp(value - largest)));
}

function share(values) {
  const sum = values.reduce((a, b) => a + b);
  return values.map((value) => value / sum);
}
