// Encoded images to pixels, as se_keras/data/images.py makes them for evaluation.
//
// The browser only decodes. Its resizing differs between browsers, and from the one that
// the network was trained with.

import { UsageError } from "./errors.js";

const KERNELS = {
  bilinear: { radius: 1, weight: (x) => Math.max(0, 1 - x) },
  bicubic: { radius: 2, weight: keysCubic },
};

/**
 * Decodes an image, resizes its short side and crops the center.
 *
 * @param {Blob} blob - An image file.
 * @param {object} preprocessing - The preprocessing of the network.
 * @returns {Promise<Float32Array>} Pixels in 0..255, `(height, width, channels)`.
 */
export async function readImage(blob, preprocessing) {
  const channels = preprocessing.mean.length;
  const { data, width, height } = await decode(blob);
  const pixels = channels === 1 ? gray(data, blob.type) : color(data);
  return fitCenter(pixels, [height, width], channels, preprocessing);
}

async function decode(blob) {
  let bitmap;
  try {
    // Turned as EXIF states, which is the default; as TensorFlow reads them, not
    // converted by a color profile.
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new UsageError(
      `Expected an image file: JPEG, PNG, WebP, GIF or BMP. Received: ${blob.name}`,
    );
  }
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function color(rgba) {
  const pixels = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    pixels[to++] = rgba[from];
    pixels[to++] = rgba[from + 1];
    pixels[to++] = rgba[from + 2];
  }
  return pixels;
}

function gray(rgba, type) {
  // The weights of JPEG's luma in 15 bits, as in libpng, which rounds down.
  const half = type === "image/png" ? 0 : 1 << 14;
  const pixels = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < pixels.length; i++) {
    const [r, g, b] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
    pixels[i] = (9798 * r + 19235 * g + 3735 * b + half) >> 15;
  }
  return pixels;
}

/** Resizes the short side of an image; only the center crop is computed. */
function fitCenter(pixels, stored, channels, { size, crop, interpolation }) {
  const kernel = KERNELS[interpolation];
  const scale = Math.max(
    ...size.map((side, axis) => Math.floor(side / crop) / stored[axis]),
  );
  const [rows, columns] = size.map((side, axis) => {
    // Rounding must not make 255 of 256.
    const resized = Math.floor(stored[axis] * scale + 1e-6);
    const begin = Math.floor((resized - side) / 2);
    return spans(stored[axis], resized, begin, side, kernel);
  });
  const middle = resampleRows(pixels, stored[1] * channels, rows);
  return resampleColumns(middle, stored[1], channels, columns).map((value) =>
    // Bicubic interpolation overshoots.
    Math.min(255, Math.max(0, value)),
  );
}

/** Returns the stored pixels and their weights for each of the resized pixels. */
function spans(stored, resized, begin, count, { radius, weight }) {
  const step = stored / resized;
  // Antialiasing: the kernel covers a whole pixel of the smaller image.
  const stretch = Math.max(step, 1);
  return Array.from({ length: count }, (_, i) => {
    const center = (begin + i + 0.5) * step - 0.5;
    const first = Math.max(0, Math.ceil(center - radius * stretch));
    const last = Math.min(stored - 1, Math.floor(center + radius * stretch));
    const raw = Array.from({ length: last - first + 1 }, (_, k) =>
      weight(Math.abs(first + k - center) / stretch),
    );
    const sum = raw.reduce((a, b) => a + b);
    return { first, weights: raw.map((value) => value / sum) };
  });
}

function resampleRows(pixels, stride, spans) {
  const result = new Float32Array(spans.length * stride);
  spans.forEach(({ first, weights }, y) => {
    const row = result.subarray(y * stride, (y + 1) * stride);
    weights.forEach((weight, k) => {
      const from = (first + k) * stride;
      for (let i = 0; i < stride; i++) row[i] += weight * pixels[from + i];
    });
  });
  return result;
}

function resampleColumns(pixels, width, channels, spans) {
  const height = pixels.length / (width * channels);
  const result = new Float32Array(height * spans.length * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (const { first, weights } of spans) {
      const from = (y * width + first) * channels;
      for (let c = 0; c < channels; c++) {
        result[to++] = weights.reduce(
          (sum, weight, k) => sum + weight * pixels[from + k * channels + c],
          0,
        );
      }
    }
  }
  return result;
}

function keysCubic(x) {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}
