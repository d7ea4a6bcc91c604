import type { RawPixels } from '../bmp.ts';
import { raw } from '../model-pixels.ts';
import type { PixelPlan } from './manifest.ts';
import type { GuestPicture } from './messages.ts';

/** Scales and cuts a picture to what a network sees. Numbers are made of it in the network's process. */
export async function pictureFor(
  picture: RawPixels,
  plan: PixelPlan,
  confidenceMin: number,
): Promise<GuestPicture> {
  const { width, height, kernel } = plan;
  const whole = { kind: 'picture' as const, width, height, confidenceMin };
  if (plan.fit === 'stretch') {
    const pixels = await raw(picture).resize(width, height, { fit: 'fill', kernel }).raw().toBuffer();
    return { ...whole, pixels, frame: { left: 0, top: 0, width, height } };
  }
  if (plan.fit === 'cover') {
    const scale = plan.edge / Math.min(picture.width, picture.height);
    const scaledWidth = Math.max(width, Math.round(picture.width * scale));
    const scaledHeight = Math.max(height, Math.round(picture.height * scale));
    const [left, top] = [(scaledWidth - width) >> 1, (scaledHeight - height) >> 1];
    const pixels = await raw(picture)
      .resize(scaledWidth, scaledHeight, { fit: 'fill', kernel })
      .extract({ left, top, width, height })
      .raw()
      .toBuffer();
    return { ...whole, pixels, frame: { left: -left, top: -top, width: scaledWidth, height: scaledHeight } };
  }
  const scale = Math.min(width / picture.width, height / picture.height);
  const inner = {
    width: Math.max(1, Math.round(picture.width * scale)),
    height: Math.max(1, Math.round(picture.height * scale)),
  };
  const left = plan.corner ? 0 : (width - inner.width) >> 1;
  const top = plan.corner ? 0 : (height - inner.height) >> 1;
  const { grey } = plan;
  const pixels = await raw(picture)
    .resize(inner.width, inner.height, { fit: 'fill', kernel })
    .extend({
      left,
      top,
      right: width - inner.width - left,
      bottom: height - inner.height - top,
      background: { r: grey, g: grey, b: grey },
    })
    .raw()
    .toBuffer();
  return { ...whole, pixels, frame: { left, top, ...inner } };
}
