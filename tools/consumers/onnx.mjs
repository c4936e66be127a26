// Runs an ONNX file for as long as images come: node onnx.mjs FOLDER MODULE MODEL
// An image, in and out, is four unsigned numbers (its shape) and float32 values, little-endian.
import { createRequire } from 'node:module';
import { readFileSync, readSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';

const [folder, name, model] = process.argv.slice(2);
const ort = createRequire(join(resolve(folder), 'package.json'))(name);
const session = await ort.InferenceSession.create(readFileSync(model));

function read(count) {
  const bytes = Buffer.alloc(count);
  for (let done = 0; done < count; ) {
    const more = readSync(0, bytes, done, count - done);
    if (more === 0) process.exit(0);
    done += more;
  }
  return bytes;
}

function write(bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done, bytes.length - done);
}

for (;;) {
  const shape = [...new Uint32Array(read(16).buffer)];
  const values = new Float32Array(read(4 * shape.reduce((a, b) => a * b)).buffer);
  const given = { [session.inputNames[0]]: new ort.Tensor('float32', values, shape) };
  const made = (await session.run(given))[session.outputNames[0]];
  write(Buffer.from(new Uint32Array(made.dims).buffer));
  write(Buffer.from(made.data.buffer, made.data.byteOffset, made.data.byteLength));
}
