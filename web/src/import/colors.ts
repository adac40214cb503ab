// The nearest of tldraw's colours to any other.
import type { TLDefaultColorStyle } from 'tldraw'

type Rgb = readonly [number, number, number]

const COLORS: ReadonlyArray<readonly [TLDefaultColorStyle, Rgb]> = [
  ['black', [29, 29, 29]], ['grey', [159, 168, 178]], ['white', [255, 255, 255]],
  ['light-violet', [224, 133, 244]], ['violet', [174, 62, 201]], ['blue', [68, 101, 233]], ['light-blue', [75, 161, 241]],
  ['yellow', [241, 172, 75]], ['orange', [225, 105, 25]], ['green', [9, 146, 104]], ['light-green', [76, 176, 94]],
  ['light-red', [248, 119, 119]], ['red', [224, 49, 49]]
]

/** Of pale colours the hue counts; it is compared as strong as tldraw's are. */
const STRONG = { from: 60, to: 235 }

/** Less difference between its parts than this, and a colour is a shade of grey. */
const CHROMA_MIN = 24

/** Whether something is drawn in this colour at all. */
export function isVisible (color: unknown): color is string {
  return typeof color === 'string' && color !== '' && color !== 'transparent' && !/^#(.{3}0|.{6}00)$/.test(color)
}

/** The colour that is nearest to `#rgb`, `#rrggbb` or a few names; black for what is none. */
export function nearestColor (color: unknown): TLDefaultColorStyle {
  const rgb = readColor(color)
  if (rgb === null) return 'black'
  const [least, most] = [Math.min(...rgb), Math.max(...rgb)]
  const isGrey = most - least < CHROMA_MIN
  const { from, to } = STRONG
  const strong: Rgb = isGrey || least < 120 ? rgb : stretched(rgb, least, (to - from) / (most - least), from)
  const apart = (other: Rgb): number => strong.reduce((sum, part, n) => sum + (part - (other[n] ?? 0)) ** 2, 0)
  const [name] = COLORS.slice(isGrey ? 0 : 3, isGrey ? 3 : undefined)
    .reduce((best, one) => apart(one[1]) < apart(best[1]) ? one : best)
  return name
}

/** Whether a colour is so light that tldraw's pale filling is nearer than its strong one. */
export function isPale (color: unknown): boolean {
  const rgb = readColor(color)
  return rgb !== null && Math.min(...rgb) >= 120
}

function stretched ([r, g, b]: Rgb, least: number, factor: number, from: number): Rgb {
  const part = (value: number): number => (value - least) * factor + from
  return [part(r), part(g), part(b)]
}

const NAMES: Readonly<Record<string, string>> = {
  black: '#000000', white: '#ffffff', red: '#ff0000', green: '#008000', blue: '#0000ff', yellow: '#ffff00', orange: '#ffa500', gray: '#808080', grey: '#808080'
}

function readColor (color: unknown): Rgb | null {
  if (typeof color !== 'string') return null
  const text = (Object.hasOwn(NAMES, color) ? NAMES[color] : color) ?? ''
  const hex = /^#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i.exec(text)?.[1]
  if (hex === undefined) return null
  const part = (n: number): number => hex.length < 6 ? parseInt((hex[n] ?? '0').repeat(2), 16) : parseInt(hex.slice(2 * n, 2 * n + 2), 16)
  return [part(0), part(1), part(2)]
}
