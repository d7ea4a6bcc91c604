import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { Editor } from '../../canvas/editor.ts';

/** Two canvases, one over the other: the picture, and what is drawn on it. */
export function Canvas({ editor, label }: { editor: Editor; label: string }) {
  const { t } = useTranslation();
  const holder = useRef<HTMLDivElement>(null);
  const picture = useRef<HTMLCanvasElement>(null);
  const shapes = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = holder.current as HTMLDivElement;
    const top = shapes.current as HTMLCanvasElement;
    editor.attach(picture.current as HTMLCanvasElement, top);
    const measure = () => editor.stage.resize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    const at = (event: MouseEvent) => {
      const { left, top } = element.getBoundingClientRect();
      return { x: event.clientX - left, y: event.clientY - top };
    };
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      if (event.shiftKey) editor.stage.panBy({ x: -event.deltaY, y: -event.deltaX });
      else editor.stage.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), at(event));
    };
    const down = (event: PointerEvent) => {
      top.setPointerCapture(event.pointerId);
      top.focus({ preventScroll: true });
      editor.pointer.down(at(event), event);
    };
    const move = (event: PointerEvent) => {
      for (const step of event.getCoalescedEvents?.() ?? []) editor.pointer.move(at(step));
      editor.pointer.move(at(event));
    };
    const listeners: readonly (readonly [string, (event: never) => void])[] = [
      ['wheel', wheel],
      ['pointerdown', down],
      ['pointermove', move],
      ['pointerup', () => editor.pointer.up()],
      ['pointercancel', () => editor.pointer.up()],
      ['pointerleave', () => editor.pointer.leave()],
      ['dblclick', (event: MouseEvent) => editor.pointer.doubleClick(at(event))],
    ];
    for (const [name, listener] of listeners)
      top.addEventListener(name, listener as EventListener, { passive: false });
    return () => {
      observer.disconnect();
      for (const [name, listener] of listeners) top.removeEventListener(name, listener as EventListener);
    };
  }, [editor]);
  return (
    <div className="canvas" ref={holder}>
      <canvas ref={picture} />
      {/* Keys work here; the list beside it says the same in words */}
      <canvas ref={shapes} tabIndex={0} role="img" aria-label={t('label.canvas', { name: label })} />
    </div>
  );
}
