/** Grey to colour by repetition, colour to grey with the weights of Pillow's mode "L" (ITU-R 601-2, 16-bit fixed point, rounded). */
export function convertChannels(pixels: Uint8Array, from: 1 | 3, to: 1 | 3): Uint8Array {
  if (from === to) return pixels;
  return to === 3 ? repeatGrey(pixels) : weighColours(pixels);
}

function repeatGrey(pixels: Uint8Array): Uint8Array {
  const result = new Uint8Array(pixels.length * 3);
  for (let index = 0; index < pixels.length; index++) {
    const level = pixels[index] ?? 0;
    result[index * 3] = level;
    result[index * 3 + 1] = level;
    result[index * 3 + 2] = level;
  }
  return result;
}

function weighColours(pixels: Uint8Array): Uint8Array {
  const result = new Uint8Array(pixels.length / 3);
  for (let index = 0; index < result.length; index++) {
    const [red, green, blue] = [pixels[index * 3] ?? 0, pixels[index * 3 + 1] ?? 0, pixels[index * 3 + 2] ?? 0];
    // L24 of Pillow's Convert.c.
    result[index] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >>> 16;
  }
  return result;
}
