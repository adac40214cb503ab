// Bars as an SVG file: no scripts, no fonts from elsewhere, light and dark by the reader's own setting,
// readable at the width of a phone.
'use strict'

const WIDTH = 400
const EDGE = 16
const HEAD = 62
const STEP = 30
const LABELS = 146
const VALUES = 60

const STYLE = `
  svg { --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --other: #b3bcc6; --floor: #dde2e8; --ours: #0a64c9 }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #14181d; --ink: #e8ecf1; --soft: #9aa5b1; --other: #55606c; --floor: #343c45; --ours: #5aa9ff }
  }
  .paper { fill: var(--paper) } .title { fill: var(--ink); font-weight: 600; font-size: 15px }
  .note { fill: var(--soft); font-size: 12px } .label, .value { fill: var(--ink); font-size: 13px }
  .other { fill: var(--other) } .floor { fill: var(--floor) } .ours { fill: var(--ours) } .strong { font-weight: 600 }
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
`

const safe = text => String(text).replace(/[&<>"]/g, sign => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign])

/**
 * A picture of bars from zero, in the order in which they come: each `{ label, value, text, kind }`, of kind `ours`,
 * `floor` or `other`. A bar without a value is a word alone, so that nobody is left out silently.
 */
function picture({ title, note, bars }) {
  const room = WIDTH - 2 * EDGE - LABELS - VALUES
  const largest = Math.max(...bars.map(bar => bar.value ?? 0)) || 1
  const height = HEAD + bars.length * STEP + EDGE - 8
  const lines = bars.map(({ label, value, text, kind }, at) => {
    const y = HEAD + at * STEP
    const length = value === undefined ? 0 : Math.max(1, room * value / largest)
    const strong = kind === 'ours' ? ' strong' : ''
    const end = EDGE + LABELS + (value === undefined ? 0 : length + 6)
    return [
      `  <text class="label${strong}" x="${EDGE}" y="${y + 15}">${safe(label)}</text>`,
      ...value === undefined ? []
        : [`  <rect class="${kind}" x="${EDGE + LABELS}" y="${y + 2}" width="${length.toFixed(1)}" height="18" rx="2"/>`],
      `  <text class="value${strong}" x="${end.toFixed(1)}" y="${y + 15}">${safe(text)}</text>`,
    ].join('\n')
  })
  const told = bars.map(({ label, text }) => `${label}: ${text}`).join('; ')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `  <title>${safe(title)}</title>`,
    `  <desc>${safe(`${note}. ${told}`)}</desc>`,
    `  <style>${STYLE}  </style>`,
    `  <rect class="paper" width="${WIDTH}" height="${height}" rx="8"/>`,
    `  <text class="title" x="${EDGE}" y="28">${safe(title)}</text>`,
    `  <text class="note" x="${EDGE}" y="47">${safe(note)}</text>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n')
}

module.exports = { picture }
