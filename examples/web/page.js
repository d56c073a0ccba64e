// The page: takes files, and shows class names and bars.

import { loadClassifier } from "./classifier.js";
import { UsageError } from "./errors.js";

const DEFAULT_MODEL = "model.tflite";
const TOP = 5;
// Images smaller than this many pixels are shown with their pixels as squares.
const SMALL = 128;

const element = (id) => document.getElementById(id);

const state = { classifier: null, image: null };

let last = Promise.resolve();
let waiting = 0;

/** Runs one task after the other, so that no model is deleted while it runs. */
function next(task) {
  setWaiting(waiting + 1);
  last = last
    .then(task)
    .catch(showError)
    .finally(() => setWaiting(waiting - 1));
}

function setWaiting(count) {
  waiting = count;
  element("main").ariaBusy = String(count > 0);
}

async function openModel(file) {
  const classifier = await loadClassifier(new Uint8Array(await file.arrayBuffer()));
  state.classifier?.delete();
  state.classifier = classifier;
  element("model-name").textContent = file.name;
  showError(null);
  if (state.image) await classifyImage(state.image);
}

async function classifyImage(file) {
  if (!state.classifier) {
    throw new UsageError(
      "Expected a model first: choose or drop a .tflite file, or put " +
        `${DEFAULT_MODEL} in the directory of the page. Received: none`,
    );
  }
  const answer = await state.classifier.classify(file);
  state.image = file;
  showError(null);
  showImage(file);
  showSeen(answer.pixels, state.classifier.preprocessing);
  showClasses(answer);
}

async function openDefaultModel() {
  const response = await fetch(DEFAULT_MODEL).catch(() => null);
  if (!response?.ok) return;
  await openModel(new File([await response.blob()], DEFAULT_MODEL));
}

/** Shows the message of an error, or none. An image that failed shows no result. */
function showError(error) {
  if (error && !(error instanceof UsageError)) console.error(error);
  element("message").hidden = !error;
  element("message").textContent = error?.message ?? "";
  if (error) element("result").hidden = true;
}

function showImage(file) {
  URL.revokeObjectURL(element("picture").src);
  element("picture").src = URL.createObjectURL(file);
  element("image-name").textContent = file.name;
}

function showSeen(pixels, { size: [height, width], mean }) {
  const canvas = element("seen");
  [canvas.width, canvas.height] = [width, height];
  const shown = new ImageData(width, height);
  const channels = mean.length;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      shown.data[4 * i + c] = pixels[channels * i + (c % channels)];
    }
    shown.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(shown, 0, 0);
  canvas.classList.toggle("small", Math.max(height, width) < SMALL);
  element("size").textContent = `${width} × ${height}`;
}

function showClasses({ classes, milliseconds }) {
  element("classes").replaceChildren(...classes.slice(0, TOP).map(line));
  element("time").textContent = `${milliseconds.toFixed(1)} ms`;
  element("result").hidden = false;
}

function line({ name, score }) {
  const item = element("class").content.cloneNode(true);
  item.querySelector(".name").textContent = name;
  item.querySelector(".score").value = score;
  item.querySelector(".score").textContent = `${(100 * score).toFixed(1)}%`;
  item.querySelector(".bar span").style.width = `${100 * score}%`;
  return item;
}

function open(file) {
  if (!file) return;
  const task = file.name.endsWith(".tflite") ? openModel : classifyImage;
  next(() => task(file));
}

function listen() {
  for (const [id, task] of [
    ["model", openModel],
    ["image", classifyImage],
  ]) {
    element(id).addEventListener("change", ({ target }) => {
      const [file] = target.files;
      // Else choosing the same file again would not be a change.
      target.value = "";
      if (file) next(() => task(file));
    });
  }
  element("picture").addEventListener("load", ({ target }) => {
    const size = Math.max(target.naturalWidth, target.naturalHeight);
    target.classList.toggle("small", size < SMALL);
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("dragenter", () => document.body.classList.add("dragging"));
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    open(event.dataTransfer.files[0]);
  });
}

listen();
next(openDefaultModel);
