// The metadata in an exported file, as se_keras/export/metadata.py writes them: in a
// zip archive after the model.

import { UsageError } from "./errors.js";

const FILE_NAME = "se_keras.json";

// As in se_keras/export/attachment.py: a zip archive of a kilobyte can state that it has
// a gigabyte.
const MOST_BYTES = 2 ** 24;

const IDENTIFIER = "TFL3";

const END_OF_ARCHIVE = 0x06054b50;
const END_SIZE = 22;
const LARGEST_COMMENT = 0xffff;
const ENTRY = 0x02014b50;
const ENTRY_SIZE = 46;
const LOCAL_HEADER_SIZE = 30;
const STORED = 0;
const DEFLATED = 8;

/**
 * Reads the metadata of a TFLite file.
 *
 * @param {Uint8Array} bytes - The file.
 * @returns {Promise<{class_names: ?string[], preprocessing: ?object,
 *     normalizes: boolean}>} What `Metadata.to_json` wrote.
 */
export async function readMetadata(bytes) {
  if (text(bytes.subarray(4, 8)) !== IDENTIFIER) {
    throw new UsageError("Expected a .tflite file. Received: something else");
  }
  // Read before the model is opened: a truncated file has lost them.
  const entry = findEntry(bytes, FILE_NAME);
  const metadata = entry && JSON.parse(text(await content(bytes, entry)));
  if (!metadata?.preprocessing) {
    throw new UsageError(
      "Expected a complete model that states which images it expects, as se_keras " +
        `exports it. Received: a .tflite file without ${FILE_NAME}`,
    );
  }
  return metadata;
}

function findEntry(bytes, name) {
  const view = viewOf(bytes);
  const end = findEnd(view);
  if (end === null) return null;
  const size = view.getUint32(end + 12, true);
  // Some writers count from the start of the file, others from that of the archive.
  const shift = end - size - view.getUint32(end + 16, true);
  let at = end - size;
  while (at >= 0 && at + ENTRY_SIZE <= end && view.getUint32(at, true) === ENTRY) {
    const nameSize = view.getUint16(at + 28, true);
    if (text(bytes.subarray(at + ENTRY_SIZE, at + ENTRY_SIZE + nameSize)) === name) {
      return {
        method: view.getUint16(at + 10, true),
        size: view.getUint32(at + 20, true),
        header: view.getUint32(at + 42, true) + shift,
      };
    }
    const extra = view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    at += ENTRY_SIZE + nameSize + extra;
  }
  return null;
}

function findEnd(view) {
  const last = view.byteLength - END_SIZE;
  for (let at = last; at >= Math.max(0, last - LARGEST_COMMENT); at--) {
    if (view.getUint32(at, true) === END_OF_ARCHIVE) return at;
  }
  return null;
}

async function content(bytes, { method, size, header }) {
  const view = viewOf(bytes);
  const names = view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
  const start = header + LOCAL_HEADER_SIZE + names;
  const packed = bytes.subarray(start, start + size);
  if (method === STORED) return packed;
  if (method !== DEFLATED) throw new Error(`Zip method ${method} is not known.`);
  return inflate(packed);
}

async function inflate(packed) {
  const inflated = new Blob([packed])
    .stream()
    .pipeThrough(new DecompressionStream("deflate-raw"));
  const parts = [];
  let size = 0;
  for await (const part of inflated) {
    size += part.length;
    if (size > MOST_BYTES) {
      throw new UsageError(
        `Expected at most ${MOST_BYTES} bytes of metadata. Received: more`,
      );
    }
    parts.push(part);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function text(bytes) {
  return new TextDecoder().decode(bytes);
}
