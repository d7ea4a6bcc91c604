import sharp from 'sharp';

/** Black print on white, one text below the other, as PNG. Needs any font on the machine. */
export async function printedPng(
  lines: readonly string[],
  { points = 27, turned = 0 }: { points?: number; turned?: 0 | 90 | 180 | 270 } = {},
): Promise<Buffer> {
  const margin = 30;
  const page = await sharp({
    text: { text: lines.join('\n'), font: `sans ${points}`, dpi: 96, rgba: true, spacing: 20 },
  })
    .extend({ top: margin, bottom: margin, left: margin, right: margin, background: '#fff' })
    .flatten({ background: '#fff' })
    .png()
    .toBuffer();
  return sharp(page).rotate(turned).png().toBuffer();
}

/** Machines without a single font cannot print. */
export async function canPrint(): Promise<boolean> {
  const page = await printedPng(['print']).catch(() => undefined);
  if (!page) return false;
  const { channels } = await sharp(page).stats();
  return (channels[0]?.min ?? 255) < 128;
}
