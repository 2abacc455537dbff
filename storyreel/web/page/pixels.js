// What is done with finished pixels: specks are taken away, and frames become a GIF.

const SMALLEST = 4; // pixels; a piece with fewer that neither neighbor frame has is a speck

// Uint8Array (frames, side, side, 4) without specks, as storyreel/generate/crisp.py takes them away.
export function withoutSpecks(pixels, frames, side) {
  const solid = (t, at) => t >= 0 && t < frames && pixels[(t * side * side + at) * 4 + 3] > 0;
  const gone = [];
  for (let t = 0; t < frames; t++) {
    const seen = new Uint8Array(side * side);
    for (let start = 0; start < side * side; start++) {
      if (seen[start] || !solid(t, start)) continue;
      const piece = [start];
      seen[start] = 1;
      for (let i = 0; i < piece.length; i++) {
        const [y, x] = [Math.floor(piece[i] / side), piece[i] % side];
        for (let j = Math.max(0, y - 1); j <= Math.min(side - 1, y + 1); j++)
          for (let k = Math.max(0, x - 1); k <= Math.min(side - 1, x + 1); k++) {
            const near = j * side + k;
            if (!seen[near] && solid(t, near)) piece.push(near), (seen[near] = 1);
          }
      }
      const kept = piece.length >= SMALLEST || piece.some((at) => solid(t - 1, at) || solid(t + 1, at));
      if (!kept) gone.push(...piece.map((at) => t * side * side + at));
    }
  }
  const found = pixels.slice();
  for (const at of gone) found.fill(0, at * 4, at * 4 + 4);
  return found;
}

// The bytes of a GIF that loops for ever. pixels: Uint8Array (frames, side, side, 4), alpha 0 or 255; scale: whole.
export function gif(pixels, frames, side, fps, scale) {
  const size = side * scale;
  const out = [...text("GIF89a"), ...short(size), ...short(size), 0x70, 0, 0];
  out.push(0x21, 0xff, 11, ...text("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  for (let t = 0; t < frames; t++) {
    const frame = pixels.subarray(t * side * side * 4, (t + 1) * side * side * 4);
    const { colors, indices } = palette(frame);
    const bits = Math.max(2, Math.ceil(Math.log2(colors.length + 1)));
    out.push(0x21, 0xf9, 4, 0x09, ...short(Math.round((t + 1) * 100 / fps) - Math.round(t * 100 / fps)), colors.length, 0);
    out.push(0x2c, 0, 0, 0, 0, ...short(size), ...short(size), 0x80 | (bits - 1));
    for (let i = 0; i < 1 << bits; i++) {
      const color = colors[i] ?? 0;
      out.push(color >> 16, (color >> 8) & 255, color & 255);
    }
    const large = new Uint8Array(size * size);
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++)
        large[y * size + x] = indices[Math.floor(y / scale) * side + Math.floor(x / scale)];
    out.push(bits);
    const packed = lzw(large, bits);
    for (let at = 0; at < packed.length; at += 255) {
      const block = packed.slice(at, at + 255);
      out.push(block.length, ...block);
    }
    out.push(0);
  }
  out.push(0x3b);
  return new Uint8Array(out);
}

const text = (ascii) => Array.from(ascii, (char) => char.charCodeAt(0));
const short = (value) => [value & 255, value >> 8];

// At most 255 colors of a frame, and the number of each pixel's; what is transparent has the one after the last.
function palette(frame) {
  const count = new Map();
  for (let i = 0; i < frame.length; i += 4) {
    const color = (frame[i] << 16) | (frame[i + 1] << 8) | frame[i + 2];
    if (frame[i + 3]) count.set(color, (count.get(color) ?? 0) + 1);
  }
  const colors = [...count.entries()].sort((a, b) => b[1] - a[1]).slice(0, 255).map(([color]) => color);
  const place = new Map(colors.map((color, i) => [color, i]));
  const nearest = (color) => {
    if (!place.has(color)) place.set(color, colors.reduce((a, b, i) => (far(b, color) < far(colors[a], color) ? i : a), 0));
    return place.get(color);
  };
  const indices = new Uint8Array(frame.length / 4);
  for (let i = 0; i < indices.length; i++) {
    const [r, g, b, a] = frame.subarray(i * 4, i * 4 + 4);
    indices[i] = a ? nearest((r << 16) | (g << 8) | b) : colors.length;
  }
  return { colors, indices };
}

const far = (a, b) => [16, 8, 0].reduce((sum, bit) => sum + (((a >> bit) & 255) - ((b >> bit) & 255)) ** 2, 0);

function lzw(values, bits) {
  const [clear, end] = [1 << bits, (1 << bits) + 1];
  const bytes = [];
  let [buffer, held, width, next, known] = [0, 0, bits + 1, end + 1, new Map()];
  const write = (code) => {
    buffer |= code << held;
    held += width;
    while (held >= 8) {
      bytes.push(buffer & 255);
      buffer >>>= 8;
      held -= 8;
    }
  };
  write(clear);
  let run = values[0];
  for (let i = 1; i < values.length; i++) {
    const key = (run << 8) | values[i];
    if (known.has(key)) {
      run = known.get(key);
      continue;
    }
    write(run);
    if (next < 4096) {
      if (next === 1 << width) width++;
      known.set(key, next++);
    } else {
      write(clear);
      [width, next, known] = [bits + 1, end + 1, new Map()];
    }
    run = values[i];
  }
  write(run);
  write(end);
  if (held) bytes.push(buffer & 255);
  return bytes;
}
