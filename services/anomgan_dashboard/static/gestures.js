// Moving through time on a chart by wheel and fingers. Dragging with the mouse is the chart's own.

const LINE_PX = 16;
const SLOP_PX = 6;

/**
 * On the element over a plot: Ctrl + wheel, which is also what a touchpad's pinch gives, zooms about the pointer; a sideways
 * wheel, or with Shift any, pans; one finger pans sideways and leaves up and down to the page; two fingers zoom.
 * `view()` -> {start, end}; `on`: {zoomAt(factor, time), pan(seconds)}.
 */
export function listenToGestures(over, { view, on }) {
  const perPixel = () => (view().end - view().start) / Math.max(1, over.clientWidth);
  const timeAt = (clientX) => view().start + (clientX - over.getBoundingClientRect().left) * perPixel();

  over.addEventListener("wheel", (event) => {
    const unit = event.deltaMode === 0 ? 1 : LINE_PX;
    const [x, y] = [event.deltaX * unit, event.deltaY * unit];
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      on.zoomAt(Math.exp(Math.max(-60, Math.min(60, y)) * 0.01), timeAt(event.clientX));
    } else if (event.shiftKey || Math.abs(x) > Math.abs(y)) {
      event.preventDefault();
      on.pan((Math.abs(x) > Math.abs(y) ? x : y) * perPixel());
    }
  }, { passive: false });

  const fingers = new Map();
  let moved = false;
  over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, event.clientX);
    moved = fingers.size > 1;
  });
  over.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId) || fingers.size > 2) return;
    const before = [...fingers.values()];
    const step = event.clientX - fingers.get(event.pointerId);
    if (!moved && Math.abs(step) < SLOP_PX) return;
    moved = true;
    fingers.set(event.pointerId, event.clientX);
    const after = [...fingers.values()];
    if (after.length === 1) {
      on.pan(-step * perPixel());
      return;
    }
    const apart = ([a, b]) => Math.max(20, Math.abs(a - b));
    on.pan((-step / 2) * perPixel()); // the middle between the fingers keeps its time
    on.zoomAt(apart(before) / apart(after), timeAt((after[0] + after[1]) / 2));
  });
  for (const name of ["pointerup", "pointercancel"]) over.addEventListener(name, (event) => fingers.delete(event.pointerId));
}
