/** What was said over HTTP, in the worker (report/html/spoken.py): headers and texts are opened when someone first asks, a body when it is wanted. */

import { bytesOf, inflate, inflateText } from "../embedded";
import type { Body, Message, Said, ToolCall, Turn } from "../types";
import { readable } from "./bytes";
import { eventsOf } from "./sse";

/** first byte of the stream, its bytes, bytes of the body in it, 1 if the session has more of the body */
type Place = [number, number, number, number];

interface Told {
  target: [string, string, string];
  headers: [string, string][][];
  interim: number[];
  marks: [number, number][][];
  bodies: (Place | null)[];
  messages: [at: number, sent: boolean, kind: string, kept: number, length: number][];
}

interface ToldTurn {
  base: number;
  known: number;
  system: number;
  prompt: number[]; // messages
  text: number;
  reasoning: number;
  tools: string[];
  error: number;
  tool_calls: ToldCall[];
}

type ToldMessage = [role: string, text: number, answers: string, calls: ToldCall[], attached: string[]];
type ToldCall = [id: string, name: string, args: number];

interface About {
  http: Told[];
  llm: ToldTurn[];
  messages: ToldMessage[];
  texts: string[];
}

export class Spoken {
  private opened: Promise<About> | null = null;
  private index: Promise<string[][]> | null = null;
  private readonly found = new Map<string, Uint8Array<ArrayBuffer>>();

  /** `rows`: the exchange of each LLM call. */
  constructor(private readonly about: string, private readonly bodies: string, private readonly rows: number[]) {}

  async exchange(row: number): Promise<Said | null> {
    const told = (await this.open()).http[row];
    return told ? { target: told.target, headers: told.headers, interim: told.interim, bodies: told.bodies.map((place) => place !== null) } : null;
  }

  /** What the request (0) or the response (1) carried; null if nothing of it is here. */
  async body(row: number, part: number): Promise<Body | null> {
    const told = (await this.open()).http[row];
    const place = told?.bodies[part];
    if (!place) return null;
    const bytes = await this.bytes(place);
    const type = told.headers[part].find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
    const events = /^text\/event-stream\b/i.test(type) ? eventsOf(bytes, told.marks[part]) : null;
    return { ...readable(bytes, type), type, length: place[2], cut: place[3] === 1, events };
  }

  async messages(row: number): Promise<Message[]> {
    const told = (await this.open()).http[row];
    const place = told?.bodies[2];
    const bytes = place ? await this.bytes(place) : new Uint8Array(0);
    let at = 0;
    return (told?.messages ?? []).map(([moment, sent, kind, kept, length]) => {
      const part = bytes.subarray(at, at + kept);
      at += kept;
      return { at: moment, sent, kind, length, kept: part.length, ...readable(part, kind === "text" ? "text/plain" : "") };
    });
  }

  /** One LLM call; of its prompt what is new in it, or all. */
  async turn(row: number, all: boolean): Promise<Turn | null> {
    const { llm, messages, texts } = await this.open();
    const told = llm[row];
    if (!told) return null;
    const callsOf = (calls: ToldCall[]): ToolCall[] => calls.map(([id, name, args]) => ({ id, name, args: texts[args] }));
    const names = new Map(told.prompt.flatMap((message) => messages[message][3].map(([id, name]) => [id, name] as const)));
    return {
      base: told.base, known: told.known, system: texts[told.system], sameSystem: told.base >= 0 && llm[told.base].system === told.system, tools: told.tools,
      prompt: told.prompt.slice(all ? 0 : told.known).map((message) => messages[message]).map(([role, text, answers, calls, attached]) =>
        ({ role, text: texts[text], answers: answers && (names.get(answers) || answers), calls: callsOf(calls), attached })), text: texts[told.text],
      reasoning: texts[told.reasoning], error: texts[told.error], calls: callsOf(told.tool_calls),
    };
  }

  /** For each word (in small letters) the exchanges that have it: in headers, bodies, or what was said to a model. */
  async find(words: string[]): Promise<Uint8Array[]> {
    this.index ??= this.indexed();
    const index = await this.index;
    return words.map((word) => {
      let hits = this.found.get(word);
      if (hits) return hits;
      // What is typed gets longer: only where the shorter word was can the longer one be
      const before = word.length > 1 ? this.found.get(word.slice(0, -1)) : undefined;
      hits = Uint8Array.from(index, (texts, row) => Number((!before || before[row] === 1) && texts.some((text) => text.includes(word))));
      if (this.found.size > 256) this.found.clear();
      this.found.set(word, hits);
      return hits;
    });
  }

  private open(): Promise<About> {
    this.opened ??= this.about ? inflateText(this.about).then((text) => JSON.parse(text) as About) : Promise.resolve({ http: [], llm: [], messages: [], texts: [] });
    return this.opened;
  }

  private async bytes([at, stored]: Place): Promise<Uint8Array<ArrayBuffer>> {
    const stream = bytesOf(this.bodies.slice((at / 3) * 4, Math.ceil((at + stored) / 3) * 4));
    return inflate(stream.subarray(0, stored));
  }

  /** The texts of each exchange in small letters; equal bodies are one string. */
  private async indexed(): Promise<string[][]> {
    const { http, llm, messages, texts } = await this.open();
    const bodies = new Map<number, string>();
    const index: string[][] = [];
    for (const told of http) {
      const own = [told.headers.flat(2).join("\n").toLowerCase()];
      for (const place of told.bodies) {
        if (!place) continue;
        let text = bodies.get(place[0]);
        if (text === undefined) {
          const bytes = await this.bytes(place); // others are answered meanwhile
          bodies.set(place[0], (text = new TextDecoder().decode(bytes).toLowerCase()));
        }
        own.push(text);
      }
      index.push(own);
    }
    const small = texts.map((text) => text.toLowerCase());
    llm.forEach((turn, place) => {
      const own = index[this.rows[place]];
      const used = [turn.system, turn.text, turn.reasoning, turn.error, ...turn.tool_calls.map(([, , args]) => args),
        ...turn.prompt.map((message) => messages[message]).flatMap(([, text, , calls]) => [text, ...calls.map(([, , args]) => args)])];
      own?.push(...[...new Set(used.filter(Boolean))].map((text) => small[text]));
    });
    return index;
  }
}
