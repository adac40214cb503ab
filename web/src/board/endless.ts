// Words that no browser breaks into lines in time: where each letter is shaped by its neighbours, each line
// that is cut from a word has the rest of it shaped anew. Where such words are drawn and measured they are
// cut, and lines may end anywhere in them. Records keep them whole. Pure.

/** Letters of a word that is drawn as it is. */
export const WORD_MAX = 1_000

/** Letters of a piece of a longer one. */
export const PIECE = 100

/** How far a cut is put off for the sake of letters that belong together. */
const PUT_OFF_MAX = 8

/** The looks of what holds such a word; see board.css. */
export const ENDLESS_CLASS = 'bw-endless'

/** The same for what takes styles. */
export const ENDLESS_STYLES: Readonly<Record<string, string>> = {
  'font-kerning': 'none', 'font-variant-ligatures': 'none', 'line-break': 'anywhere'
}

/** Browsers read it as a place where a line may end, and draw nothing. */
const CUT = '\u200b'

// Lines break at spaces, not at all that is called space, and around the letters of scripts that are written
// without.
const WORDS = /[^ \t\r\n\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]+/gu

// Nobody sees the marks on a letter beyond these, and no place between them ends a line.
const PILES = /(\p{M}{32})[\p{M}\u200b]+/gu

// Of a pair of units, or of a letter with its marks, the second part.
const ADHERES = /^[\udc00-\udfff\p{M}\p{Emoji_Modifier}\u200d]/u

/** Where the texts of one block, one after the other, are to be cut: offsets for each text. Null where they need not be. */
export function cutsOf (texts: readonly string[]): number[][] | null {
  const whole = texts.join('')
  if (whole.length <= WORD_MAX) return null
  const cuts = [...whole.matchAll(WORDS)].flatMap(({ 0: word, index }) => word.length > WORD_MAX ? cutsIn(whole, index, index + word.length) : [])
  if (cuts.length === 0) return null
  let [start, next] = [0, 0]
  return texts.map(({ length }) => {
    const own: number[] = []
    for (const end = start + length; next < cuts.length && (cuts[next] ?? 0) < end; next++) own.push((cuts[next] ?? 0) - start)
    start += length
    return own
  })
}

/** A text as it is drawn where it is plain: with a place to end a line at each cut, and no endless piles of accents. */
export function withCuts (text: string): string {
  const cuts = cutsOf([text])?.[0]
  return cuts === undefined ? text : pieces(text, cuts).join(CUT).replace(PILES, '$1')
}

/** The parts of a text between cuts. */
export function pieces (text: string, cuts: readonly number[]): string[] {
  return [0, ...cuts].map((from, n) => text.slice(from, cuts[n]))
}

function cutsIn (text: string, from: number, to: number): number[] {
  const cuts: number[] = []
  for (let at = from + PIECE; at < to; at += PIECE) {
    let cut = at
    while (cut < at + PUT_OFF_MAX && adheres(text, cut)) cut++
    if (cut < to) cuts.push(cut)
  }
  return cuts
}

function adheres (text: string, at: number): boolean {
  return text[at - 1] === '\u200d' || ADHERES.test(String.fromCodePoint(text.codePointAt(at) ?? 0))
}
