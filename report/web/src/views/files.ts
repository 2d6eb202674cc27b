/** Files as a tree of folders with the sums of what is in them, as a flat list, and what was looked for in vain. */

import { h, replace } from "../dom";
import { count, duration, many, number, size, text } from "../format";
import { inRange, rowsOf, type App, type View } from "../model";
import { matcher } from "../query";
import { bar } from "../ui/bits";
import { DataTable } from "../ui/table";
import { ListView } from "./lists";

const SUMMED = ["read_bytes", "written_bytes", "opens", "errors", "time_ns"] as const;

interface Node {
  name: string;
  path: string;
  depth: number;
  file: number; // row of the table, -1 for folders
  children: Map<string, Node>;
  sums: Record<(typeof SUMMED)[number], number>;
  files: number;
}

type Mode = "tree" | "list" | "missing";

export class FilesView implements View {
  readonly root: HTMLElement;
  private readonly tree: DataTable<Node>;
  private readonly list: ListView;
  private readonly missing: ListView;
  private readonly summary = h("p", { class: "summary" });
  private readonly body = h("div", { class: "switched" });
  private readonly switches: HTMLElement;
  private readonly opened = new Set<string>();
  private readonly closed = new Set<string>();
  private mode: Mode = "tree";
  private top: Node = node("", "", 0);

  constructor(private readonly app: App) {
    const { files } = app.tables;
    this.tree = new DataTable<Node>({
      label: "Files as a tree", key: (one) => (one.file >= 0 ? `file:${one.file}` : `folder:${one.path}`),
      empty: "No file fits the search and the range of time.",
      choose: (one) => (one.file >= 0 ? app.store.set({ selected: `file:${one.file}` }) : this.fold(one)),
      columns: [
        { key: "name", title: "path", width: "minmax(14rem, 4fr)", left: true, cell: (one) => this.name(one) },
        { key: "share", title: "", width: "minmax(4rem, 1fr)", room: "much", left: true, cell: (one) => bar(this.moved(one) / Math.max(this.moved(this.top), 1)) },
        { key: "read", title: "read", width: "5.5rem", cell: ({ sums }) => (sums.read_bytes ? size(sums.read_bytes) : "–") },
        { key: "written", title: "written", width: "5.5rem", room: "some", cell: ({ sums }) => (sums.written_bytes ? size(sums.written_bytes) : "–") },
        { key: "opens", title: "opens", width: "4.5rem", room: "much", cell: ({ sums }) => count(sums.opens) },
        { key: "errors", title: "errors", width: "4.5rem", cell: ({ sums }) => (sums.errors ? h("span", { class: "bad" }, count(sums.errors)) : "–") },
        { key: "time", title: "time", width: "5rem", room: "much", cell: ({ sums }) => (sums.time_ns ? duration(sums.time_ns) : "–") },
      ],
    });
    const fields = (row: number) => ({
      path: [text(files.path[row]), ...(files.was[row] as string[])], pid: (files.pids[row] as number[]).map(String), class: "files",
      is: [files.created[row] || files.deleted[row] ? "changed" : "", files.errors[row] ? "failed" : "", text(files.kind[row])],
    });
    const bytes = (field: string) => (row: number) => (files[field][row] ? size(number(files[field][row])) : "–");
    this.list = new ListView(app, {
      name: "Files as a list", what: ["file", "files"], table: files, sort: { key: "read_bytes", descending: true }, fields, selects: (row) => `file:${row}`,
      within: (row) => inRange(app, files.first_ns[row] as number | null, files.last_ns[row] as number | null),
      empty: "No file fits the search and the range of time.",
      columns: [
        { key: "path", title: "path", width: "minmax(14rem, 5fr)", left: true, cell: (row) => h("code", { class: "end" }, h("bdi", null, text(files.path[row]))) },
        { key: "read_bytes", title: "read", width: "5.5rem", cell: bytes("read_bytes") },
        { key: "written_bytes", title: "written", width: "5.5rem", room: "some", cell: bytes("written_bytes") },
        { key: "reads", title: "reads", width: "4.5rem", room: "much", cell: (row) => count(number(files.reads[row])) },
        { key: "writes", title: "writes", width: "4.5rem", room: "much", cell: (row) => count(number(files.writes[row])) },
        { key: "opens", title: "opens", width: "4.5rem", room: "much", cell: (row) => count(number(files.opens[row])) },
        { key: "errors", title: "errors", width: "4.5rem", cell: (row) => (files.errors[row] ? h("span", { class: "bad" }, count(number(files.errors[row]))) : "–") },
      ],
    });
    const { searches } = app.tables;
    this.missing = new ListView(app, {
      name: "Looked for in vain", what: ["name", "names"], table: searches, sort: { key: "tries", descending: true }, selects: (row) => `search:${row}`,
      fields: (row) => ({ path: [text(searches.name[row]), ...(searches.folders[row] as string[])], error: text(searches.error[row]),
                          pid: (searches.pids[row] as number[]).map(String), is: ["missing"] }),
      within: () => true, empty: "Everything that was looked for was there.",
      columns: [
        { key: "name", title: "name", width: "minmax(9rem, 2fr)", left: true, cell: (row) => h("code", null, text(searches.name[row])) },
        { key: "tries", title: "tries", width: "4.5rem", cell: (row) => count(number(searches.tries[row])) },
        { key: "error", title: "error", width: "6.5rem", left: true, cell: (row) => h("span", { class: searches.found[row] ? null : "bad" }, text(searches.error[row])) },
        { key: "folders", title: "looked for in", width: "minmax(9rem, 3fr)", left: true, room: "much", cell: (row) => (searches.folders[row] as string[]).join("  ") },
        { key: "found", title: "found later", width: "minmax(7rem, 2fr)", left: true, room: "much", cell: (row) => text(searches.found[row]) || "–" },
      ],
    });
    this.switches = h("div", { class: "switch", role: "tablist", "aria-label": "How files are shown" });
    this.root = h("section", { class: "view list files", "aria-label": "Files" }, h("div", { class: "line" }, this.switches, this.summary), this.body);
    this.fields = fields;
  }

  private readonly fields: (row: number) => Record<string, string | number | string[]>;

  update(): void {
    const { query } = this.app.store.state;
    if (query.includes("is:missing")) this.mode = "missing";
    else if (this.mode === "missing" && query.includes("is:changed")) this.mode = "list";
    const modes: [Mode, string][] = [["tree", "Folders"], ["list", "List"], ["missing", "Looked for in vain"]];
    replace(this.switches, modes.map(([mode, name]) => h("button", {
      type: "button", role: "tab", "aria-selected": mode === this.mode ? "true" : "false", onclick: () => {
        this.mode = mode;
        if (query.includes("is:missing") && mode !== "missing") this.app.store.set({ query: query.replace("is:missing", "").trim() });
        this.update();
      } }, name)));
    if (this.mode === "tree") {
      this.grow();
      replace(this.body, this.tree.root);
    } else {
      const view = this.mode === "list" ? this.list : this.missing;
      replace(this.summary);
      replace(this.body, view.root);
      view.update();
    }
  }

  /** The tree of what the search and the range leave. */
  private grow(): void {
    const { files } = this.app.tables;
    const holds = matcher(this.app.store.state.query, this.fields);
    this.top = node("", "", -1);
    for (let row = 0; row < rowsOf(files); row++) {
      if (!inRange(this.app, files.first_ns[row] as number | null, files.last_ns[row] as number | null) || !holds(row)) continue;
      const path = text(files.path[row]);
      const parts = path.startsWith("/") ? path.split("/").slice(1) : [path];
      let at = this.top;
      this.count(at, row);
      for (const part of parts.slice(0, -1)) {
        let next = at.children.get(part);
        if (!next) at.children.set(part, (next = node(part, `${at.path}/${part}`, at.depth + 1)));
        this.count((at = next), row);
      }
      const leaf = node(parts[parts.length - 1] || "/", path, at.depth + 1, row);
      this.count(leaf, row);
      at.children.set(`${leaf.name}\0${row}`, leaf);
    }
    for (const child of this.top.children.values()) squeeze(child);
    replace(this.summary, many(this.top.files, "file"), `, ${size(this.top.sums.read_bytes)} read, ${size(this.top.sums.written_bytes)} written`);
    this.showTree();
  }

  private count(at: Node, row: number): void {
    at.files++;
    for (const field of SUMMED) at.sums[field] += number(this.app.tables.files[field][row]);
  }

  private showTree(): void {
    const shown: Node[] = [];
    const waiting = this.sorted(this.top).reverse();
    for (let one = waiting.pop(); one; one = waiting.pop()) {
      shown.push(one);
      if (one.file < 0 && this.isOpen(one)) waiting.push(...this.sorted(one).reverse());
    }
    this.tree.show({ length: shown.length, rows: (from, to) => shown.slice(from, to) });
    this.tree.mark(this.app.store.state.selected);
  }

  private sorted(folder: Node): Node[] {
    return [...folder.children.values()].sort((one, other) => this.moved(other) - this.moved(one) || other.files - one.files || (one.name < other.name ? -1 : 1));
  }

  private moved({ sums }: Node): number {
    return sums.read_bytes + sums.written_bytes;
  }

  private isOpen(folder: Node): boolean {
    return this.opened.has(folder.path) || (!this.closed.has(folder.path) && (folder.depth === 0 || folder.files <= 12 || this.top.files <= 40));
  }

  private fold(folder: Node): void {
    const open = this.isOpen(folder);
    this.opened[open ? "delete" : "add"](folder.path);
    this.closed[open ? "add" : "delete"](folder.path);
    this.showTree();
  }

  private name(one: Node): HTMLElement {
    const indent = h("span", { class: "indent", "aria-hidden": "true" });
    indent.style.width = `${Math.min(one.depth, 20) * 1.1}rem`;
    if (one.file >= 0) {
      const { created, deleted } = this.app.tables.files;
      const mark = created[one.file] && deleted[one.file] ? "temporary" : created[one.file] ? "created" : deleted[one.file] ? "deleted" : "";
      return h("span", { class: "tree-cell file" }, indent, h("code", null, one.name), mark && h("span", { class: "tag" }, mark));
    }
    return h("span", { class: "tree-cell folder" }, indent, h("span", { class: "twist", "aria-hidden": "true" }, this.isOpen(one) ? "▾" : "▸"),
      h("code", null, `${one.name}/`), h("span", { class: "quiet-text" }, ` ${count(one.files)}`));
  }
}

function node(name: string, path: string, depth: number, file = -1): Node {
  return { name, path, depth, file, children: new Map(), files: 0, sums: { read_bytes: 0, written_bytes: 0, opens: 0, errors: 0, time_ns: 0 } };
}

/** A folder in which there is nothing but one folder shares a line with that. */
function squeeze(top: Node): void {
  const waiting = [top];
  for (let one = waiting.pop(); one; one = waiting.pop()) {
    for (let only = [...one.children.values()]; only.length === 1 && only[0].file < 0; only = [...one.children.values()]) {
      one.name = `${one.name}/${only[0].name}`;
      one.path = only[0].path;
      one.children = only[0].children;
    }
    for (const child of one.children.values()) {
      child.depth = one.depth + 1;
      waiting.push(child);
    }
  }
}
