// MaskGIT's sampler (Phenaki, Section 2.2), and the random numbers that it draws.

// Numbers in [0, 1) that depend on the seed alone (sfc32).
export function random(seed, stream = 0) {
  let [a, b, c, d] = [seed >>> 0, Math.floor(seed / 4294967296) >>> 0, stream >>> 0, 1];
  const next = () => {
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let i = 0; i < 20; i++) next();
  return next;
}

const gumbel = (draw) => -Math.log(-Math.log(Math.min(Math.max(draw(), 1e-20), 1 - 1e-7)));

// Codes (tokens * digits) of one clip. settings: of model.json. logits(codes): Float32Array, a row a token, the sizes
// of the digits one after the other. onStep(step, codes with every hole guessed) may return a promise.
export async function sample(settings, seed, logits, onStep) {
  const { sizes, tokens, steps, temperature } = settings;
  const digits = sizes.length;
  const units = tokens * digits;
  const width = sizes.reduce((sum, size) => sum + size, 0);
  const codes = Int32Array.from({ length: units }, (_, unit) => sizes[unit % digits]);
  const draw = random(seed, 1);
  let holes = units;
  for (let step = 0; step < steps && holes; step++) {
    const rows = await logits(codes);
    const filled = codes.slice();
    const open = [];
    const cooled = temperature * (1 - (step + 1) / steps);
    for (let unit = 0; unit < units; unit++) {
      const digit = unit % digits;
      if (codes[unit] !== sizes[digit]) continue;
      const start = ((unit - digit) / digits) * width + sizes.slice(0, digit).reduce((sum, size) => sum + size, 0);
      const row = rows.subarray(start, start + sizes[digit]);
      const { value, confidence } = drawn(row, draw);
      if (!Number.isFinite(confidence)) throw new Error("the model gave numbers that are none");
      filled[unit] = value;
      open.push({ unit, sure: confidence + cooled * gumbel(draw) });
    }
    const left = step + 1 < steps ? Math.floor(units * Math.cos(((Math.PI / 2) * (step + 1)) / steps)) : 0;
    holes = Math.min(left, holes - 1);
    open.sort((one, other) => one.sure - other.sure);
    codes.set(filled);
    for (const { unit } of open.slice(0, holes)) codes[unit] = sizes[unit % digits];
    await onStep(step + 1, filled);
  }
  return codes;
}

// A value by its probability, and the logarithm of that.
function drawn(row, draw) {
  let [best, value, largest] = [-Infinity, 0, -Infinity];
  for (let i = 0; i < row.length; i++) {
    const noisy = row[i] + gumbel(draw);
    if (noisy > best) [best, value] = [noisy, i];
    if (row[i] > largest) largest = row[i];
  }
  let sum = 0;
  for (const x of row) sum += Math.exp(x - largest);
  return { value, confidence: row[value] - largest - Math.log(sum) };
}
