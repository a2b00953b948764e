import { type Box, bounds } from "./geometry";

/** Places that wires have to go round, and how the ways of some wires are found among them. Pure, in canvas units. */

export type Point = readonly [x: number, y: number];

export interface RouteBox extends Box {
  id: string;
  /** A region: only wires that lead into it or lie in it may cross it. Above `head` are its title and its ports. */
  region?: { head: number };
}

export interface RouteWire {
  id: string;
  /** Ports: the wire leaves to the right and arrives from the left. */
  from: Point;
  to: Point;
  /** Wires of one source may share a way. */
  source: string;
  /** The regions that it may cross, and those of them whose head it may cross too. */
  regions: ReadonlySet<string>;
  heads: ReadonlySet<string>;
  /** The wire as it is drawn where nothing is in its way. */
  direct: readonly Point[];
}

/** Distance of neighbouring wires, and of the ways that there are at all. */
const LANE = 10;
/** As near as a wire comes to a node. */
const CLEAR = 8;
/** The state of a run is written above a node; a port is reached for beside it. */
const ABOVE = 22;
const BESIDE = 18;
const MOST_CELLS = 1_500_000;
const MOST_STEPS = 400_000;
/** Steps between two moments at which something else may be done. */
const PAUSE = 2048;
/** A way may be a little longer than the best for being found much sooner. */
const HASTE = 2;

const [CLOSE, HEAD, NODE] = [1, 2, 3];
/** A way through a node costs so much that it is taken only where there is no other. */
const COST = { step: 1, turn: 7, near: 2, along: 9, across: 1.5, through: 120 };
/** Free lanes around everything. */
const AROUND = 8;

export class Router {
  readonly #x: number;
  readonly #y: number;
  readonly #columns: number;
  readonly #rows: number;
  readonly #lane: number;
  /** What is there: nothing, CLOSE to a node, the HEAD of a region, a NODE. */
  readonly #solid: Uint8Array;
  /** The innermost region of a cell, 1-based. */
  readonly #owner: Uint16Array;
  readonly #regions: string[] = [];
  /** Which source uses a cell, 1-based, by direction. */
  readonly #used: [Uint32Array, Uint32Array];
  readonly #sources = new Map<string, number>();
  readonly #search: Search;

  /**
   * @param boxes regions before what lies in them.
   * @param area what is looked at; else all of it.
   */
  constructor(boxes: readonly RouteBox[], area?: Box) {
    const all = bounds(boxes) ?? { x: 0, y: 0, w: 0, h: 0 };
    const left = Math.max(all.x, area?.x ?? all.x);
    const top = Math.max(all.y, area?.y ?? all.y);
    const width = Math.max(0, Math.min(all.x + all.w, area ? area.x + area.w : all.x + all.w) - left);
    const height = Math.max(0, Math.min(all.y + all.h, area ? area.y + area.h : all.y + all.h) - top);
    this.#lane = Math.max(LANE, Math.sqrt((width * height) / MOST_CELLS));
    this.#x = left - AROUND * this.#lane;
    this.#y = top - AROUND * this.#lane;
    this.#columns = Math.ceil(width / this.#lane) + 2 * AROUND + 1;
    this.#rows = Math.ceil(height / this.#lane) + 2 * AROUND + 1;
    const cells = this.#columns * this.#rows;
    this.#solid = new Uint8Array(cells);
    this.#owner = new Uint16Array(cells);
    this.#used = [new Uint32Array(cells), new Uint32Array(cells)];
    this.#search = new Search(cells);
    for (const box of boxes) {
      if (!box.region) this.#block(box);
      else {
        this.#regions.push(box.id);
        const { x, y, w, h } = box;
        this.#fill(this.#owner, this.#regions.length, x - CLEAR, y - CLEAR, x + w + CLEAR, y + h + CLEAR);
        this.#fill(this.#solid, HEAD, x, y, x + w, y + box.region.head);
      }
    }
  }

  #block({ x, y, w, h }: Box): void {
    this.#fill(this.#solid, CLOSE, x - BESIDE, y - ABOVE, x + w + BESIDE, y + h + CLEAR + 2);
    this.#fill(this.#solid, NODE, x - CLEAR, y - CLEAR, x + w + CLEAR, y + h + CLEAR);
  }

  /** Set the cells whose middle lies in a rectangle; never to less than they have. */
  #fill(grid: Uint8Array | Uint16Array, value: number, x0: number, y0: number, x1: number, y1: number): void {
    const first = Math.max(0, Math.ceil((x0 - this.#x) / this.#lane));
    const last = Math.min(this.#columns - 1, Math.floor((x1 - this.#x) / this.#lane));
    const lowest = Math.min(this.#rows - 1, Math.floor((y1 - this.#y) / this.#lane));
    for (let row = Math.max(0, Math.ceil((y0 - this.#y) / this.#lane)); row <= lowest; row += 1) {
      for (let at = row * this.#columns + first; at <= row * this.#columns + last; at += 1) {
        if ((grid[at] ?? 0) < value) grid[at] = value;
      }
    }
  }

  #column(x: number): number {
    return Math.round((x - this.#x) / this.#lane);
  }

  #row(y: number): number {
    return Math.round((y - this.#y) / this.#lane);
  }

  /**
   * The corners of a way round what is there; null where the direct wire crosses nothing, or no way was found. It
   * yields now and then, for something else to be done.
   */
  *route(wire: RouteWire): Generator<void, Point[] | null> {
    const isBlocked = this.#blocked(wire);
    if (this.#isFree(wire, isBlocked)) return null;
    const path = yield* this.#find(wire, isBlocked);
    return path && this.#corners(wire, path);
  }

  /** A way that is taken already. */
  claim(corners: readonly Point[], source: string): void {
    for (const [i, [x, y]] of corners.entries()) {
      const [u, v] = corners[i + 1] ?? [x, y];
      const steps = Math.ceil((Math.abs(u - x) + Math.abs(v - y)) / this.#lane);
      for (let step = 0; step <= steps; step += 1) {
        const cell = this.#cell(x + ((u - x) * step) / (steps || 1), y + ((v - y) * step) / (steps || 1));
        if (cell !== null) this.#used[y === v ? 0 : 1][cell] = this.#number(source);
      }
    }
  }

  #number(source: string): number {
    const number = this.#sources.get(source) ?? this.#sources.size + 1;
    this.#sources.set(source, number);
    return number;
  }

  /** Whether a wire must not be in a cell: there is a node, or a region that it has nothing to do with. */
  #blocked({ regions, heads }: RouteWire): (cell: number) => boolean {
    const crossed = [true, ...this.#regions.map((id) => regions.has(id))];
    const under = [true, ...this.#regions.map((id) => heads.has(id))];
    return (cell) => {
      const owner = this.#owner[cell] ?? 0;
      const there = this.#solid[cell];
      return there === NODE || crossed[owner] !== true || (there === HEAD && under[owner] !== true);
    };
  }

  /** The cell of a point; null outside of what is looked at. */
  #cell(x: number, y: number): number | null {
    const [column, row] = [this.#column(x), this.#row(y)];
    const there = column >= 0 && row >= 0 && column < this.#columns && row < this.#rows;
    return there ? row * this.#columns + column : null;
  }

  #isFree({ direct, from, to }: RouteWire, isBlocked: (cell: number) => boolean): boolean {
    return direct.every(([x, y]) => {
      // at its ends it touches its own nodes
      if (Math.abs(x - from[0]) + Math.abs(y - from[1]) < 2 * LANE) return true;
      if (Math.abs(x - to[0]) + Math.abs(y - to[1]) < 2 * LANE) return true;
      const cell = this.#cell(x, y);
      return cell === null || !isBlocked(cell);
    });
  }

  *#find(wire: RouteWire, isBlocked: (cell: number) => boolean): Generator<void, Int32Array | null> {
    const inside = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));
    const start = [this.#column(wire.from[0] + CLEAR + 2), this.#row(wire.from[1])] as const;
    const goal = [this.#column(wire.to[0] - CLEAR - 2), this.#row(wire.to[1])] as const;
    const cellOf = ([column, row]: readonly [number, number]) =>
      inside(row, this.#rows) * this.#columns + inside(column, this.#columns);
    const source = this.#number(wire.source);
    const [across, along] = this.#used;
    const cost = (cell: number, direction: 0 | 1): number => {
      const [same, other] = direction === 0 ? [across, along] : [along, across];
      let sum = COST.step;
      if (isBlocked(cell)) sum += COST.through;
      else if (this.#solid[cell] === CLOSE) sum += COST.near;
      if (same[cell] !== 0 && same[cell] !== source) sum += COST.along;
      if (other[cell] !== 0 && other[cell] !== source) sum += COST.across;
      return sum;
    };
    const path = yield* this.#search.shortest(cellOf(start), cellOf(goal), this.#columns, this.#rows, cost);
    if (!path) return null;
    for (let i = 0; i < path.length; i += 1) {
      const cell = path[i] ?? 0;
      for (const next of [path[i - 1], path[i + 1]]) {
        if (next === undefined) continue;
        const use = Math.abs(next - cell) === 1 ? across : along;
        use[cell] = source;
      }
    }
    return path;
  }

  /** Where the way turns; its first and last piece lie at the height of the ports. */
  #corners({ from, to }: RouteWire, path: Int32Array): Point[] | null {
    const { length } = path;
    const columns = this.#columns;
    const turns: [number, number][] = [];
    for (let i = 0; i < length; i += 1) {
      const at = path[i] ?? 0;
      const [before, after] = [path[i - 1] ?? at - 1, path[i + 1] ?? at + 1];
      if (after - at === at - before) continue;
      turns.push([this.#x + (at % columns) * this.#lane, this.#y + Math.floor(at / columns) * this.#lane]);
    }
    const [first, last] = [turns[0], turns.at(-1)];
    // a way without a turn is a straight line, and at another height than its ports it is none
    if (!first || !last || turns.length < 2) return null;
    const [height, end] = [first[1], last[1]];
    for (let i = 0; i < turns.length && turns[i]?.[1] === height; i += 1) (turns[i] as [number, number])[1] = from[1];
    for (let i = turns.length - 1; i >= 0 && turns[i]?.[1] === end; i -= 1) (turns[i] as [number, number])[1] = to[1];
    return [from, ...turns, to];
  }
}

/** Whether a line runs through a box or close by it. */
export function crosses(line: readonly Point[], { x, y, w, h }: Box): boolean {
  const [left, top, right, bottom] = [x - CLEAR, y - CLEAR, x + w + CLEAR, y + h + CLEAR];
  return line.some(([a, b], i) => {
    const [c, d] = line[i + 1] ?? [a, b];
    if (Math.max(a, c) < left || Math.min(a, c) > right || Math.max(b, d) < top || Math.min(b, d) > bottom)
      return false;
    if (a === c || b === d) return true;
    // the part of the line within the box from left to right, and whether it is within it from top to bottom too
    const [t, u] = [(left - a) / (c - a), (right - a) / (c - a)];
    const [from, to] = [Math.max(0, Math.min(t, u)), Math.min(1, Math.max(t, u))];
    const [v, w2] = [b + from * (d - b), b + to * (d - b)];
    return from <= to && Math.max(v, w2) >= top && Math.min(v, w2) <= bottom;
  });
}

/** A* over the cells of a grid, each known by the direction in which it was entered: 0 is along a row, 1 along a column. */
class Search {
  readonly #best: Float32Array;
  readonly #came: Int32Array;
  readonly #touched: number[] = [];
  readonly #heap: number[] = [];
  readonly #keys: number[] = [];

  constructor(cells: number) {
    this.#best = new Float32Array(2 * cells).fill(Number.POSITIVE_INFINITY);
    this.#came = new Int32Array(2 * cells);
  }

  /** The cells of the cheapest way; it begins and ends along a row. Null if it takes too long to find. */
  *shortest(
    start: number,
    goal: number,
    columns: number,
    rows: number,
    cost: (cell: number, direction: 0 | 1) => number,
  ): Generator<void, Int32Array | null> {
    const [goalColumn, goalRow] = [goal % columns, Math.floor(goal / columns)];
    const left = (column: number, row: number) => HASTE * (Math.abs(column - goalColumn) + Math.abs(row - goalRow));
    this.#reach(2 * start, 0, -1, 0);
    let found = false;
    for (let steps = 0; this.#heap.length > 0 && steps < MOST_STEPS; steps += 1) {
      if (steps % PAUSE === PAUSE - 1) yield;
      const state = this.#pop();
      if (state === 2 * goal) {
        found = true;
        break;
      }
      const cell = state >> 1;
      const direction = (state & 1) as 0 | 1;
      const so = this.#best[state] ?? 0;
      const column = cell % columns;
      const row = (cell - column) / columns;
      for (let side = 0; side < 4; side += 1) {
        const way = (side >> 1) as 0 | 1;
        const by = side & 1 ? 1 : -1;
        const [x, y] = [way === 0 ? column + by : column, way === 0 ? row : row + by];
        if (x < 0 || y < 0 || x >= columns || y >= rows) continue;
        const next = y * columns + x;
        const known = this.#best[2 * next + way] as number;
        if (known <= so + COST.step) continue;
        const sum = so + cost(next, way) + (way === direction ? 0 : COST.turn);
        if (sum < known) this.#reach(2 * next + way, sum, state, sum + left(x, y));
      }
    }
    const path: number[] = [];
    if (found) for (let state = 2 * goal; state >= 0; state = this.#came[state] ?? -1) path.push(state >> 1);
    this.#forget();
    return found ? Int32Array.from(path.reverse()) : null;
  }

  #reach(state: number, sum: number, from: number, key: number): void {
    if (this.#best[state] === Number.POSITIVE_INFINITY) this.#touched.push(state);
    this.#best[state] = sum;
    this.#came[state] = from;
    this.#push(state, key);
  }

  #forget(): void {
    for (const state of this.#touched) this.#best[state] = Number.POSITIVE_INFINITY;
    this.#touched.length = 0;
    this.#heap.length = 0;
    this.#keys.length = 0;
  }

  #push(state: number, key: number): void {
    const [heap, keys] = [this.#heap, this.#keys];
    let at = heap.length;
    heap.push(state);
    keys.push(key);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if ((keys[up] as number) <= key) break;
      heap[at] = heap[up] as number;
      keys[at] = keys[up] as number;
      at = up;
    }
    heap[at] = state;
    keys[at] = key;
  }

  #pop(): number {
    const [heap, keys] = [this.#heap, this.#keys];
    const top = heap[0] as number;
    const [state, key] = [heap.pop() as number, keys.pop() as number];
    const { length } = heap;
    if (length === 0) return top;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && (keys[child + 1] as number) < (keys[child] as number)) child += 1;
      if ((keys[child] as number) >= key) break;
      heap[at] = heap[child] as number;
      keys[at] = keys[child] as number;
      at = child;
    }
    heap[at] = state;
    keys[at] = key;
    return top;
  }
}
