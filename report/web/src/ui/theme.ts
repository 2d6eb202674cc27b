/** Light and dark: what the system says, unless the reader has chosen. Canvases take their colours from the style sheet. */

const NAMES = ["ink", "muted", "line", "paper", "surface", "accent", "accent-soft", "wash", "bad", "idle",
               "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"] as const;

export interface Palette {
  ink: string;
  muted: string;
  line: string;
  paper: string;
  surface: string;
  accent: string;
  accentSoft: string;
  wash: string;
  bad: string;
  idle: string;
  classes: string[];
}

let known: Palette | null = null;
const listeners: (() => void)[] = [];
const dark = matchMedia("(prefers-color-scheme: dark)");

export function palette(): Palette {
  if (!known) {
    const probe = document.body.appendChild(document.createElement("i"));
    const style = getComputedStyle(probe);
    const [ink, muted, line, paper, surface, accent, accentSoft, wash, bad, idle, ...classes] = NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return style.color; // light or dark, as rgb(…)
    });
    probe.remove();
    known = { ink, muted, line, paper, surface, accent, accentSoft, wash, bad, idle, classes };
  }
  return known;
}

export function onTheme(listener: () => void): void {
  listeners.push(listener);
}

export function toggleTheme(): void {
  const root = document.documentElement;
  const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  changed();
}

dark.addEventListener("change", changed);

function changed(): void {
  known = null;
  for (const listener of listeners) listener();
}

/** Red, green and blue of a colour of the palette. */
export function parts(colour: string): number[] {
  return (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
}
