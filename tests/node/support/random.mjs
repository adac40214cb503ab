// A seeded generator, so that a failure can be replayed: BOARDWIRE_SEED=n node --test file

/** The seed of this run: of the environment, or a new one. Tests print it. */
export const SEED = Number(process.env.BOARDWIRE_SEED ?? (Date.now() ^ process.pid) >>> 0) >>> 0

/** Uniform numbers of one 32-bit state (mulberry32). */
export class Random {
  constructor (seed = SEED) {
    this.state = seed >>> 0
  }

  /** A number in [0, 1). */
  next () {
    this.state = (this.state + 0x6D2B79F5) >>> 0
    let z = this.state
    z = Math.imul(z ^ (z >>> 15), z | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer in [0, n). */
  below (n) {
    return Math.floor(this.next() * n)
  }

  /** True with probability `p`. */
  chance (p) {
    return this.next() < p
  }

  /** One element of `list`. */
  of (list) {
    return list[this.below(list.length)]
  }

  /** A word of 1 to 8 characters, now and then beyond the BMP, so that UTF-16 offsets matter. */
  word () {
    const letters = ['a', 'b', 'c', 'd', 'e', ' ', 'ä', 'ß', '語', '🎨', '👩‍🚀']
    return Array.from({ length: 1 + this.below(8) }, () => this.of(letters)).join('')
  }

  /** A plain JSON value. */
  value () {
    return this.of([
      () => this.below(1000), () => -this.next(), () => this.word(), () => null, () => this.chance(0.5),
      () => ({ x: this.below(100), y: this.below(100), text: this.word() }), () => [this.below(9), this.word()]
    ])()
  }
}
