/** The page's side of the worker. */

import { embedded } from "./embedded";
import type { Question, Questions } from "./types";

type Waiting = { resolve: (answer: never) => void; reject: (reason: Error) => void };

export class Client {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;

  constructor() {
    const address = URL.createObjectURL(new Blob([embedded("worker")], { type: "text/javascript" }));
    this.worker = new Worker(address);
    URL.revokeObjectURL(address);
    this.worker.addEventListener("message", ({ data: { id, answer, error } }: MessageEvent<{ id: number; answer: never; error?: string }>) => {
      const one = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) one?.resolve(answer);
      else one?.reject(new Error(error));
    });
  }

  ask<Key extends Question>(question: Key, ask: Questions[Key]["ask"]): Promise<Questions[Key]["answer"]> {
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.worker.postMessage({ id, question, ask });
    });
  }
}
