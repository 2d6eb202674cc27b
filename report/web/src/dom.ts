/** Elements made of texts and other elements. No markup is ever parsed: whatever a traced program has said stays text. */

export type Child = Node | string | null | undefined | false;
type Props = Record<string, unknown>;

/** An element. `on…` props are listeners, `class` is the class, others are attributes; null and false leave one out, true sets it empty. */
export function h<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, props: Props | null = null, ...children: (Child | Child[])[]): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  apply(element, props);
  element.append(...kept(children));
  return element;
}

/** The same for drawings. */
export function s(tag: string, props: Props | null = null, ...children: (Child | Child[])[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, props);
  element.append(...kept(children));
  return element;
}

export function replace(parent: Element, ...children: (Child | Child[])[]): void {
  parent.replaceChildren(...kept(children));
}

export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as Kind;
}

/** A canvas at the resolution of the screen, cleared; null while it has no size. */
export function surface(canvas: HTMLCanvasElement): { pen: CanvasRenderingContext2D; width: number; height: number } | null {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = window.devicePixelRatio || 1;
  const pen = canvas.getContext("2d", { willReadFrequently: canvas.dataset.read === "yes" });
  if (!width || !height || !pen) return null;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/** Calls once per frame at the most, however often it is asked to. */
export function perFrame(act: () => void): () => void {
  let asked = 0;
  return () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      act();
    });
  };
}

function apply(element: Element, props: Props | null): void {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2).toLowerCase(), value as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

function kept(children: (Child | Child[])[]): (Node | string)[] {
  return children.flat().filter((child): child is Node | string => child !== null && child !== undefined && child !== false && child !== "");
}
