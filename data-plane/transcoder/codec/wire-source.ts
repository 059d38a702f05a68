/** Bytes of a service that are not the message they should be. */
export class WireFault extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'WireFault';
  }
}

/** Messages and groups that may be open within each other. */
export const maxWireDepth = 100;

const twoTo32 = 4_294_967_296;
const minViewed = 1_024;

/** Protobuf wire bytes with a position. Every read checks the end that the caller gives. */
export class WireSource {
  src: Uint8Array = new Uint8Array(0);
  pos = 0;
  /** Halves of the last 64-bit value. */
  low = 0;
  high = 0;
  /** Of long messages, for their fixed-size values; of others it costs more to make than it saves. */
  #view: DataView | null = null;
  readonly #scratch = new DataView(new ArrayBuffer(8));

  load(bytes: Uint8Array): void {
    this.src = bytes;
    this.#view = null;
    this.pos = 0;
  }

  /** A varint of which the low 32 bits count, such as a tag, a length or an int32. */
  varint32(end: number): number {
    const src = this.src;
    const first = src[this.pos] as number;
    if (first < 0x80 && this.pos < end) {
      this.pos++;
      return first;
    }
    this.varint64(end);
    return this.low;
  }

  /** Reads a varint into `low` and `high`, both unsigned. */
  varint64(end: number): void {
    const src = this.src;
    let pos = this.pos;
    let low = 0;
    let high = 0;
    let byte = 0x80;
    for (let shift = 0; shift < 28 && byte >= 0x80; shift += 7) {
      if (pos >= end) throw new WireFault('it is cut short');
      byte = src[pos++] as number;
      low |= (byte & 0x7f) << shift;
    }
    if (byte >= 0x80) {
      if (pos >= end) throw new WireFault('it is cut short');
      byte = src[pos++] as number;
      low |= (byte & 0x7f) << 28;
      high = (byte & 0x7f) >>> 4;
      for (let shift = 3; shift < 38 && byte >= 0x80; shift += 7) {
        if (pos >= end) throw new WireFault('it is cut short');
        byte = src[pos++] as number;
        if (shift < 32) high |= (byte & 0x7f) << shift;
      }
    }
    if (byte < 0x80) {
      this.low = low >>> 0;
      this.high = high >>> 0;
      this.pos = pos;
      return;
    }
    throw new WireFault('a varint is longer than ten bytes');
  }

  fixed32(end: number): number {
    const { src, pos } = this;
    if (pos + 4 > end) throw new WireFault('it is cut short');
    this.pos = pos + 4;
    return (
      (src[pos] as number) |
      ((src[pos + 1] as number) << 8) |
      ((src[pos + 2] as number) << 16) |
      ((src[pos + 3] as number) << 24)
    );
  }

  fixed64(end: number): void {
    this.low = this.fixed32(end) >>> 0;
    this.high = this.fixed32(end) >>> 0;
  }

  float(end: number): number {
    const scratch = this.#scratch;
    scratch.setInt32(0, this.fixed32(end), true);
    return scratch.getFloat32(0, true);
  }

  double(end: number): number {
    const view = this.#view;
    if (view === null) return this.#loneDouble(end);
    if (this.pos + 8 > end) throw new WireFault('it is cut short');
    const value = view.getFloat64(this.pos, true);
    this.pos += 8;
    return value;
  }

  #loneDouble(end: number): number {
    if (this.src.length >= minViewed) this.#makeView();
    const scratch = this.#scratch;
    scratch.setInt32(0, this.fixed32(end), true);
    scratch.setInt32(4, this.fixed32(end), true);
    return scratch.getFloat64(0, true);
  }

  /** Reads a length and answers where what it counts ends. */
  lengthEnd(end: number): number {
    const length = this.varint32(end);
    const after = this.pos + length;
    if (after > end) throw new WireFault('it is cut short');
    return after;
  }

  /** Passes over a value of the wire type; of a group, over its end tag as well. */
  skip(tag: number, end: number, depth: number): void {
    switch (tag & 7) {
      case 0:
        this.varint64(end);
        return;
      case 1:
        this.#advance(8, end);
        return;
      case 2:
        this.pos = this.lengthEnd(end);
        return;
      case 3:
        this.groupEnd(tag, end, depth);
        return;
      case 5:
        this.#advance(4, end);
        return;
      default:
        throw new WireFault('a tag has a wire type that does not exist');
    }
  }

  /** Passes over the fields of a group and its end tag; answers where the fields end. */
  groupEnd(tag: number, end: number, depth: number): number {
    if (depth <= 0) throw new WireFault('it is nested too deeply');
    for (;;) {
      const at = this.pos;
      const next = this.tag(end);
      if ((next & 7) !== 4) {
        this.skip(next, end, depth - 1);
        continue;
      }
      if (next >>> 3 !== tag >>> 3) throw new WireFault('a group ends with the tag of another');
      return at;
    }
  }

  /** A tag, unsigned. */
  tag(end: number): number {
    const pos = this.pos;
    const first = this.src[pos] as number;
    if (first < 0x80 && first > 7 && pos < end) {
      this.pos = pos + 1;
      return first;
    }
    this.varint64(end);
    if (this.high !== 0 || this.low < 8) throw new WireFault('a tag has a field number that does not exist');
    return this.low;
  }

  /** Turns the last 64-bit value from zigzag into two's complement. */
  unzigzag(): void {
    const sign = -(this.low & 1);
    const low = (this.low >>> 1) | (this.high << 31);
    this.low = (low ^ sign) >>> 0;
    this.high = ((this.high >>> 1) ^ sign) >>> 0;
  }

  /** The last 64-bit value as a number when that is exact, else NaN. */
  safeInteger(signed: boolean): number {
    const high = signed ? this.high | 0 : this.high;
    return high > 0x1fffff || high < -0x200000 ? NaN : high * twoTo32 + this.low;
  }

  #makeView(): void {
    const { buffer, byteOffset, byteLength } = this.src;
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  #advance(bytes: number, end: number): void {
    this.pos += bytes;
    if (this.pos > end) throw new WireFault('it is cut short');
  }
}
