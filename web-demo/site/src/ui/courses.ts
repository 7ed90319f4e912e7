/** A place in the drawing. */
export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly mid: number;
  readonly height: number;
}

/** Where a stream gives up its colour to the river, in the drawing's units. */
export interface Blend {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

const n = (value: number) => value.toFixed(1);

/** Regions side by side: streams fall through the gap, enter the bed one below the other, and join in it. */
export class Across {
  readonly #meet: number;
  readonly #step: number;

  constructor(private readonly bed: Box, private readonly mouth: Box, private readonly count: number) {
    this.#meet = bed.left + (bed.right - bed.left) * 0.5;
    this.#step = Math.min(26, (bed.height - 20) / Math.max(1, count));
  }

  stream(card: Box, index: number, offset: number): string {
    const entry = this.bed.mid + (index - (this.count - 1) / 2) * this.#step;
    const gap = this.bed.left - card.right;
    const fall = gap * 0.72;
    const join = (this.#meet - this.bed.left) * 0.5;
    return (
      `M${n(card.right)} ${n(card.mid)}C${n(card.right + fall)} ${n(card.mid)} ${n(this.bed.left - fall)} ${n(entry)} ${n(this.bed.left)} ${n(entry)}` +
      `C${n(this.bed.left + join)} ${n(entry)} ${n(this.#meet - join)} ${n(this.bed.mid + offset)} ${n(this.#meet)} ${n(this.bed.mid + offset)}`
    );
  }

  get blend(): Blend {
    return { x1: this.bed.left + (this.#meet - this.bed.left) * 0.35, y1: 0, x2: this.#meet, y2: 0 };
  }

  river(shift: number): string {
    const gap = this.mouth.left - this.bed.right;
    const from = this.bed.mid + shift;
    const to = this.mouth.mid + shift;
    return `M${n(this.#meet)} ${n(from)}H${n(this.bed.right)}C${n(this.bed.right + gap / 2)} ${n(from)} ${n(this.mouth.left - gap / 2)} ${n(to)} ${n(this.mouth.left + 4)} ${n(to)}`;
  }
}

/** Regions below each other: each stream has a lane in the gutter; at the bed the lanes join, and one river runs on down. */
export class Down {
  readonly #lane: number;
  readonly #middle: number;

  constructor(private readonly bed: Box, private readonly mouth: Box, private readonly count: number, total: number) {
    const gutter = bed.left; // the map's padding
    this.#lane = gutter / Math.max(1, count);
    this.#middle = Math.max(total / 2 + 3, gutter * 0.42);
  }

  stream(card: Box, index: number, offset: number): string {
    // The topmost card has the lane next to the cards, so that no stream crosses another.
    const x = this.#lane * (this.count - 1 - index) + this.#lane * 0.45;
    const y = card.top + 32;
    const r = Math.max(1, Math.min(12, card.left - x));
    const join = this.bed.top - 44;
    const end = this.#middle - offset;
    return `M${n(card.left)} ${n(y)}H${n(x + r)}Q${n(x)} ${n(y)} ${n(x)} ${n(y + r)}V${n(join)}C${n(x)} ${n(join + 36)} ${n(end)} ${n(this.bed.mid - 36)} ${n(end)} ${n(this.bed.mid)}`;
  }

  get blend(): Blend {
    return { x1: 0, y1: this.bed.top - 36, x2: 0, y2: this.bed.mid };
  }

  river(shift: number): string {
    const x = this.#middle - shift;
    const y = this.mouth.mid + shift;
    const r = Math.max(4, 22 + shift);
    return `M${n(x)} ${n(this.bed.mid)}V${n(y - r)}Q${n(x)} ${n(y)} ${n(x + r)} ${n(y)}H${n(this.mouth.left + 4)}`;
  }
}
