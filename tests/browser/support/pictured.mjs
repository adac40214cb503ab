// Boards that show what there is to draw, as items; `after` does in the page what items cannot.

const GEOS = [
  'rectangle', 'ellipse', 'oval', 'diamond', 'triangle', 'trapezoid', 'rhombus', 'rhombus-2', 'pentagon', 'hexagon', 'octagon', 'star',
  'heart', 'cloud', 'x-box', 'check-box', 'arrow-left', 'arrow-right', 'arrow-up', 'arrow-down'
]
const COLORS = ['black', 'grey', 'light-violet', 'violet', 'blue', 'light-blue', 'yellow', 'orange', 'green', 'light-green', 'light-red', 'red', 'white']
const FILLS = ['none', 'semi', 'solid', 'pattern', 'fill']
const DASHES = ['draw', 'solid', 'dashed', 'dotted']
const pick = (list, n) => list[n % list.length]

const notes = COLORS.map((color, n) => ({
  type: 'sticky', x: n % 4 * 230, y: Math.floor(n / 4) * 230, style: { color, size: pick(['s', 'm', 'l', 'xl'], n), align: pick(['start', 'middle', 'end'], n) },
  content: { text: n % 3 === 0 ? 'Talk to the people who use it every day' : color }
}))

const geos = GEOS.map((geo, n) => ({
  type: 'shape', x: n % 5 * 220, y: Math.floor(n / 5) * 170, width: 180, height: 130, content: { text: n % 2 === 0 ? geo : '' },
  style: { geo, color: pick(COLORS, n), fill: pick(FILLS, n), dash: pick(DASHES, n), size: pick(['s', 'm', 'l'], n), font: 'sans' }
}))

const step = (id, text, x, y, geo = 'rectangle', color = 'blue') =>
  ({ id, type: 'shape', x, y, width: 180, height: 90, content: { text }, style: { geo, color, fill: 'semi', font: 'sans', size: 's' } })
const arrow = (from, to, text = '', style = {}) => ({ type: 'connector', from: { item: from }, to: { item: to }, content: { text }, style: { size: 's', ...style } })
const chart = [
  step('start', 'Start', 0, 0, 'oval', 'green'), step('build', 'Build', 0, 200), step('test', 'Tests pass?', 0, 400, 'diamond', 'orange'),
  step('ship', 'Ship it', 0, 640, 'oval', 'green'), step('fix', 'Mend it', 360, 400, 'rectangle', 'red'), step('tell', 'Tell everybody', 360, 640),
  arrow('start', 'build'), arrow('build', 'test', '', { arrow_end: 'triangle' }), arrow('test', 'ship', 'yes'), arrow('test', 'fix', 'no', { color: 'red' }),
  arrow('fix', 'build', 'again', { kind: 'elbow', color: 'grey' }), arrow('ship', 'tell', '', { bend: 60, arrow_start: 'dot', dash: 'dashed' }),
  arrow('start', 'tell', 'in time', { bend: -120, color: 'violet', arrow_end: 'diamond' })
]

const frames = [
  { id: 'now', type: 'frame', x: 0, y: 0, width: 420, height: 300, content: { title: 'Now' } },
  { id: 'next', type: 'frame', x: 480, y: 0, width: 420, height: 300, content: { title: 'What comes next, as far as we know it today' } },
  { type: 'sticky', x: 40, y: 50, parent: 'now', content: { text: 'Inside' } },
  { type: 'shape', x: 300, y: 200, width: 220, height: 160, parent: 'now', style: { fill: 'solid', color: 'red' }, content: { text: 'Cut off' } },
  { type: 'sticky', x: 640, y: 60, parent: 'next', rotation: 0.2, style: { color: 'light-green' }, content: { text: 'Turned' } },
  { id: 'in', type: 'frame', x: 500, y: 180, width: 100, height: 100, parent: 'next' },
  { type: 'shape', x: 520, y: 200, width: 200, height: 50, parent: 'in', style: { fill: 'fill', color: 'violet' } }
]

const wave = (x, y, length, height) => Array.from({ length: 60 }, (_, n) => [x + n * length / 60, y + Math.sin(n / 4) * height])
const freehand = [
  ...DASHES.map((dash, n) => ({ type: 'draw', points: wave(0, n * 90, 400, 30), style: { dash, color: pick(COLORS, n + 3), size: pick(['s', 'm', 'l', 'xl'], n) } })),
  { type: 'draw', points: [[480, 0], [560, 90], [480, 180], [600, 170], [590, 20], [480, 0]], style: { size: 'l' } },
  { type: 'highlight', points: wave(460, 260, 260, 12), style: { color: 'yellow', size: 'm' } },
  { type: 'highlight', points: [[460, 320], [720, 325]], style: { color: 'light-blue', size: 'l' } },
  { type: 'line', points: [[0, 380], [120, 440], [240, 380], [360, 440]], style: { color: 'red', dash: 'dashed' } },
  { type: 'text', x: 480, y: 240, width: 240, content: { text: 'under a highlight' } }
]

const texts = ['draw', 'sans', 'serif', 'mono'].flatMap((font, n) => ['s', 'm', 'l', 'xl'].map((size, m) => ({
  type: 'text', x: m * 420, y: n * 170, width: 400, style: { font, size, color: pick(COLORS, n + m * 2), align: pick(['start', 'middle', 'end'], m) },
  content: { text: `Pack my box with five dozen jugs (${font}, ${size}).` }
})))

const turned = Array.from({ length: 12 }, (_, n) => ({
  type: n % 3 === 0 ? 'sticky' : 'shape', x: 400 + Math.cos(n / 2) * 300, y: 300 + Math.sin(n / 2) * 220, width: n % 3 === 0 ? undefined : 200, height: n % 3 === 0 ? undefined : 120,
  rotation: n / 2 - 2, opacity: 0.3 + (n % 4) * 0.2, content: { text: `turned ${n}` }, style: { color: pick(COLORS, n + 3), ...(n % 3 !== 0 && { fill: 'solid', geo: pick(GEOS, n) }) }
}))

/** Four coloured quarters, 64 by 64 pixels. */
const QUARTERS = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAY0lEQVR42u3PIQ0AIBAAQCxx6IAjBxt5yEEoLJIGZEC8u+0KXNqlhKr9hEoCAgICAgICAgICAgICAgICAgICAgICAt+BPEeou1ooAQEBAQEBAQEBAQEBAQEBAQEBAQEBAYFvD6UN/UsODGWOAAAAAElFTkSuQmCC'
const images = [
  { type: 'image', x: 0, y: 0, width: 240, height: 240, content: { url: QUARTERS, alt: 'Four quarters' } },
  { type: 'image', x: 340, y: 20, width: 160, height: 160, rotation: 0.3, opacity: 0.7, content: { url: QUARTERS, alt: '' } },
  { type: 'shape', x: 150, y: 120, width: 260, height: 160, content: { text: 'On top' }, style: { fill: 'semi', font: 'serif' } }
]

const words = ['Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144', '\u0421\u044a\u0435\u0448\u044c \u0435\u0449\u0451 \u044d\u0442\u0438\u0445 \u0431\u0443\u043b\u043e\u043a', '\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac \u03b3\u03c1\u03ac\u03bc\u03bc\u03b1\u03c4\u03b1', 'Gr\u00f6\u00dfe, \u00dcbung, Stra\u00dfe'].map((text, n) => ({
  type: n % 2 === 0 ? 'sticky' : 'text', x: n * 230, y: 0, ...(n % 2 === 1 && { width: 200 }), content: { text }, style: { font: pick(['draw', 'sans'], n), color: pick(COLORS, n + 4) }
}))

const nested = [0, 1, 2, 3].map(n => ({ id: `n${n}`, type: 'shape', x: n * 180, y: n * 60, width: 150, height: 100, content: { text: `${n}` }, style: { fill: 'solid', color: pick(COLORS, n + 4) } }))
/** Groups in groups, the inner one turned and moved. */
function group () {
  const { editor } = window.boardwire
  editor.groupShapes(['shape:n0', 'shape:n1'], { groupId: 'shape:inner' })
  editor.updateShape({ id: 'shape:inner', type: 'group', rotation: 0.4, opacity: 0.6 })
  editor.groupShapes(['shape:inner', 'shape:n2'], { groupId: 'shape:outer' })
  editor.updateShape({ id: 'shape:outer', type: 'group', x: 40, rotation: -0.2 })
}

/** Every board by its name. */
export const ALL = {
  notes: { items: notes },
  geos: { items: geos },
  chart: { items: chart },
  frames: { items: frames },
  freehand: { items: freehand },
  texts: { items: texts },
  turned: { items: turned },
  dark: { items: [...chart, ...notes.slice(0, 4).map(note => ({ ...note, x: note.x + 700 })), { type: 'frame', x: 700, y: 300, content: { title: 'Dark' } }], theme: 'dark' },
  images: { items: images },
  words: { items: words },
  nested: { items: nested, after: group }
}
