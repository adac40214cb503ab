// A small picture that tells boards apart: some notes, laid out by the board's id. It does not show the
// board's content.

const WIDTH = 250
const HEIGHT = 116
const NOTE_COLOURS = 5

interface Note { readonly x: number, readonly y: number, readonly width: number, readonly height: number, readonly fill: string }

export function Sketch ({ seed }: { seed: string }) {
  const notes = layOut(seed)
  return (
    <svg className='bw-sketch' viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden='true' focusable='false'>
      {notes.slice(1).map((note, index) => {
        const from = notes[index] ?? note
        return <line key={index} x1={middle(from).x} y1={middle(from).y} x2={middle(note).x} y2={middle(note).y} />
      })}
      {notes.map((note, index) => <rect key={index} {...note} rx='4' />)}
    </svg>
  )
}

/** Three to five notes from left to right, each in a column of its own, so that none hides another. */
function layOut (seed: string): Note[] {
  const random = randomFrom(seed)
  const count = 3 + Math.floor(random() * 3)
  const column = (WIDTH - 40) / count
  const colour = Math.floor(random() * NOTE_COLOURS)
  return Array.from({ length: count }, (_, index) => {
    const width = 26 + random() * Math.min(26, column - 34)
    const height = 24 + random() * 14
    return {
      x: Math.round(20 + column * index + random() * (column - width)),
      y: Math.round(14 + random() * (HEIGHT - 28 - height)),
      width: Math.round(width),
      height: Math.round(height),
      fill: `var(--note-${1 + (colour + index * 2) % NOTE_COLOURS})`
    }
  })
}

function middle (note: Note) {
  return { x: note.x + note.width / 2, y: note.y + note.height / 2 }
}

/** Numbers in [0, 1), the same for the same seed: FNV-1a over the seed, then xorshift. */
function randomFrom (seed: string): () => number {
  let state = 0x811c9dc5
  for (let index = 0; index < seed.length; index++) state = Math.imul(state ^ seed.charCodeAt(index), 0x01000193)
  if (state === 0) state = 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
