"""Makes a picture small: a PNG with a palette of its most frequent colours that differ visibly. A dashboard has few
colours, and countless shades where lines and letters are smoothed, which make up two thirds of the file."""

import base64
import struct
import zlib
from typing import Any, Final

from playwright.async_api import Page

COLOURS: Final = 256
DIFFERENCE: Final = 500  # the least distance of two colours, with the weights in `nearest`
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# Chromium reads the pixels, because Python has no decoder of PNG.
REDUCE: Final = """async ([png, most, least]) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const pixels = new Uint32Array(canvas.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const parts = (pixel) => [pixel & 255, pixel >> 8 & 255, pixel >> 16 & 255];
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([pixel]) => pixel);
  const palette = [];
  const nearest = (pixel) => {
    const [red, green, blue] = parts(pixel);
    let [at, distance] = [0, Infinity];
    palette.forEach(([r, g, b], place) => {
      const found = 3 * (red - r) ** 2 + 6 * (green - g) ** 2 + (blue - b) ** 2;
      if (found < distance) [at, distance] = [place, found];
    });
    return [at, distance];
  };
  for (const pixel of sorted) if (palette.length < most && nearest(pixel)[1] >= least) palette.push(parts(pixel));
  const places = new Map(sorted.map((pixel) => [pixel, nearest(pixel)[0]]));
  let text = "";
  for (const pixel of pixels) text += String.fromCharCode(places.get(pixel));
  return { width: image.width, height: image.height, palette: palette.flat(), pixels: btoa(text) };
}"""


async def reduced(page: Page, png: bytes) -> bytes:
    """Returns the picture with at most COLOURS colours. `page` is any page of the browser."""
    given: Any = await page.evaluate(REDUCE, [base64.b64encode(png).decode(), COLOURS, DIFFERENCE])
    width, pixels = given["width"], base64.b64decode(given["pixels"])
    lines = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, given["height"], 8, 3, 0, 0, 0)
    parts = (b"IHDR", header), (b"PLTE", bytes(given["palette"])), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
