// Writes fuzz/seeds: a few small inputs for each target, the same bytes in every run. The histories are made
// by Yjs, so `npm ci` in tests/node comes first; then `node fuzz/make-seeds.mjs`. Findings are added to
// fuzz/seeds by hand.
import { createRequire } from 'node:module'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'

const require = createRequire(new URL('../tests/node/package.json', import.meta.url))
const Y = require('yjs')

const write = (target, seeds) => {
  const folder = new URL(`seeds/${target}/`, import.meta.url)
  mkdirSync(folder, { recursive: true })
  for (const [name, bytes] of Object.entries(seeds)) {
    writeFileSync(new URL(name, folder), typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : Buffer.from(bytes))
  }
}

// --- answers and addresses of others
// -------------------------------------------------------------------------------

write('client_answer', {
  length: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  chunked: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  end: 'HTTP/1.0 404 No\r\nServer: x\r\n\r\nuntil the end'
})
write('client_address', {
  https: 'https://example.com:8443/hook?a=b',
  mapped: 'http://[::ffff:127.0.0.1]:81/',
  hex: 'http://0x7f.1/x/../y'
})

// --- HTTP
// ------------------------------------------------------------------------------------------------------

const lines = (...all) => all.map(line => line + '\r\n').join('') + '\r\n'
const upgrade = (path, ...more) => lines(
  `GET ${path} HTTP/1.1`, 'Host: a:80', 'Connection: keep-alive, Upgrade', 'Upgrade: websocket',
  'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...more)

write('request_head', {
  get: lines('GET / HTTP/1.1', 'Host: a'),
  old: lines('GET / HTTP/1.0', 'Connection: keep-alive', 'A:b', 'A: \tc'),
  post: lines('POST /v1/boards HTTP/1.1', 'Host: [::1]:8080', 'Content-Length: 5', 'X-Forwarded-For: 1.2.3.4, ::1') + 'hello',
  chunked: '\r\n' + lines('PUT http://a/b HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Origin: https://a') + '0\r\n\r\n',
  two_lengths: lines('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Content-Length: 6'),
  length_and_chunked: lines('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
  bare_line_feed: 'GET / HTTP/1.1\nHost: a\n\n',
  folded: lines('GET / HTTP/1.1', 'Host: a', 'A: b', ' c'),
  upgrade: upgrade('/ws/canvas/a?token=b%2Bc', 'Sec-WebSocket-Protocol: a, b'),
  expect: lines('PATCH /v1/boards/a HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 2')
})
write('upgrade', {
  plain: upgrade('/ws/canvas/a'),
  protocols: upgrade('/ws/canvas/a?share=x', 'Sec-WebSocket-Protocol: y-sync, b', 'Origin: https://a'),
  extensions: upgrade('/ws/canvas/a', 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'),
  no_upgrade: lines('GET /ws/canvas/a HTTP/1.1', 'Host: a'),
  version_8: upgrade('/ws/canvas/a').replace('Version: 13', 'Version: 8'),
  short_key: upgrade('/ws/canvas/a').replace('Key: dGhl', 'Key: ')
})
write('body', {
  two_chunks: '5\r\nhello\r\nA\r\n0123456789\r\n0\r\nA: b\r\n\r\nGET',
  end: '0\r\n\r\n',
  extension: '3;a="b;\r\n"\r\nabc\r\n0\r\n\r\n',
  too_large: 'FFFFFFFFFFFFFFFF\r\na',
  bare_line_feed: '1\na\n0\n\n'
})
write('target', {
  board: '/ws/canvas/a%2Fb?token=%41&x=%c3%a4',
  escapes: '\u00e4%%41/%zz%',
  absolute: 'http://a:80/b?c#d',
  dots: '/v1/boards/%2e%2e/./..//',
  parameters: '/?a&b=&=c&a=1&a=2&&+=%2B'
})

// --- tokens
// ----------------------------------------------------------------------------------------------------

write('token', {
  // RFC 7515, A.1: signed with another secret.
  rfc_7515: 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  all_claims: '{"alg":"HS256","kid":null}\n{"sub":7,"exp":1999.5,"nbf":-1,"teams":["a"],"role":"admin"}',
  boards: '{"sub":"a","exp":1e9,"boards":{"a":"edit","b":"view","a":"comment"},"aud":["x"],"iss":"y"}',
  none: '{"alg":"none","crit":[]}\n[]',
  other_algorithm: '{"alg":"HS512","typ":"JWT"}\n{"sub":"a","exp":2000}',
  edit: [0, 40, 0x42]
})
write('base64url', {
  foobar: 'Zm9vYmFy',
  alphabet: 'A-z_4ME',
  padded: 'Zm8=',
  spare_bits: 'Zm9vYh',
  bytes: [0xff, 0xfe, 0x00]
})

// --- histories
// -------------------------------------------------------------------------------------------------

/** Documents that keep what they sent; `give` lets one have all that another sent. */
const people = (...ids) => {
  const log = []
  const all = ids.map(id => {
    const doc = new Y.Doc({ guid: 'seed' })
    doc.clientID = id
    doc.on('update', (update, origin) => { if (origin !== 'remote') log.push(update) })
    return doc
  })
  const give = () => all.forEach(doc => log.slice().forEach(update => Y.applyUpdate(doc, update, 'remote')))
  return { all, log, give }
}

const histories = {
  text () {
    const { all: [a, b], log, give } = people(5, 300)
    a.getText('t').insert(0, 'hello \u{1f600} world')
    give()
    a.getText('t').delete(3, 4) // between the halves of a surrogate pair
    b.getText('t').insert(7, 'x')
    b.getText('t').format(0, 5, { bold: true })
    give()
    a.getText('t').insertEmbed(2, { image: 'i' })
    return { log, last: a }
  },
  map () {
    const { all: [a, b], log, give } = people(7, 70_000)
    for (const value of [1, -1.5, 'v', null, undefined, true, 2n ** 60n, [1, { k: 'v' }], new Uint8Array([1, 2])]) {
      a.getMap('m').set('k', value)
    }
    b.getMap('m').set('k', 'concurrent')
    give()
    b.getMap('m').delete('k')
    a.getMap('m').set('l', 3)
    return { log, last: b }
  },
  array () {
    const { all: [a, b], log, give } = people(4_294_967_295, 1)
    a.getArray('a').insert(0, [1, 2, 3, 4, 5])
    give()
    a.getArray('a').delete(1, 3)
    b.getArray('a').insert(2, ['x', 'y'])
    give()
    b.getArray('a').push([new Y.Map([['n', new Y.Array()]]), new Y.Doc({ guid: 'sub' })])
    return { log, last: a }
  },
  xml () {
    const { all: [a, b], log, give } = people(9, 10)
    const p = new Y.XmlElement('p')
    a.getXmlFragment('x').insert(0, [p, new Y.XmlHook('h')])
    p.setAttribute('class', 'c')
    p.insert(0, [new Y.XmlText('words')])
    give()
    b.getXmlFragment('x').get(0).setAttribute('class', 'd')
    b.getXmlFragment('x').delete(0, 1) // the whole subtree is collected
    a.transact(() => p.get(0).insert(2, 'more'))
    return { log, last: b }
  },
  shapes () {
    const { all: [a, b], log, give } = people(3_000_000_001, 3_000_000_002)
    const shape = (id, x) => ({ id: `shape:${id}`, typeName: 'shape', type: 'geo', x, y: 2, props: { w: 1 } })
    for (let x = 0; x < 4; x++) {
      a.getMap('tldraw').set('shape:1', shape(1, x))
      b.getMap('tldraw').set('shape:1', shape(1, -x))
      give()
    }
    return { log, last: a }
  },
  undo () {
    const { all: [a], log } = people(21)
    const manager = new Y.UndoManager(a.getText('t'), { captureTimeout: 0 })
    a.getText('t').insert(0, 'one')
    a.getText('t').insert(3, 'two')
    manager.undo()
    manager.redo()
    return { log, last: a }
  }
}

/** The input form of `update_accept`: each update behind its length in one byte, 255 standing for the rest. */
const framed = updates => Buffer.concat(updates.map((update, n) => {
  if (update.length < 255) return Buffer.concat([Buffer.from([update.length]), update])
  if (n !== updates.length - 1) throw new Error('only the last update may be long')
  return Buffer.concat([Buffer.from([255]), update])
}))

const accepts = {}
const vectors = {}
const messages = {}
const message = (...parts) => Buffer.concat(parts.map(part => Array.isArray(part)
  ? Buffer.from(part)
  : Buffer.concat([Buffer.from(part.length < 128 ? [part.length] : [part.length & 127 | 128, part.length >> 7]), part])))
for (const [name, make] of Object.entries(histories)) {
  const { log, last } = make()
  const whole = Y.encodeStateAsUpdate(last)
  const vector = Y.encodeStateVector(last)
  accepts[name] = framed(log)
  accepts[`${name}_out_of_order`] = framed([...log].reverse())
  accepts[`${name}_merged`] = framed([log[0], Y.mergeUpdates(log)])
  accepts[`${name}_gaps`] = framed([log[0], Y.mergeUpdates(log.filter((_, n) => n % 2 === 0))])
  accepts[`${name}_collected`] = framed([whole])
  vectors[name] = vector
  messages[name] = message([0, 0], vector, [0, 1], whole)
}
write('update_accept', accepts)
write('state_vector', { ...vectors, empty: [0], count_too_large: [0xff, 0xff, 0xff, 0xff, 0x0f], over_long: [1, 0x80, 0, 0] })
write('sync_message', {
  ...messages,
  awareness: message([1], Buffer.from([1, 5, 1, 2, 0x7b, 0x7d]), [3]),
  keepalive: [1, 1, 0],
  denied: [2, 0, 2, 0x6e, 0x6f],
  cut: [0, 0, 2, 0],
  unknown: [9, 1, 2, 3]
})

// --- items
// ------------------------------------------------------------------------------------------------------

/** Records by key, then an operation a line; see `items`. */
const items = (records, ...operations) => [records, ...operations].map(value => JSON.stringify(value)).join('\n')
const rich = (...lines) => ({ type: 'doc', content: lines.map(text => ({ type: 'paragraph', content: [{ type: 'text', text }] })) })
const shape = (type, props, more) => ({ typeName: 'shape', type, x: 1, y: 2.5, rotation: 0, index: 'a2', parentId: 'page:page', props, meta: {}, ...more })
const drawn = {
  'page:page': { typeName: 'page', index: 'a1' },
  'shape:n': shape('note', { scale: 1, growY: 20, color: 'red', richText: rich('a', 'b') }, { id: 'shape:n', meta: { item_type: 'document', item_id: 'n' } }),
  'shape:g': shape('geo', { w: 10, h: 20, growY: 1, scale: 2, geo: 'star', richText: rich('x') }, { parentId: 'shape:f', rotation: 1 }),
  'shape:t': shape('text', { w: 8, autoSize: true, scale: 1, richText: rich('wide', 'text') }, { index: 'zz', parentId: 'shape:t' }),
  'shape:f': shape('frame', { w: 300, h: 200, name: 'F' }, { rotation: 0.5, parentId: 'shape:g' }),
  'shape:i': shape('image', { w: 3, h: 2, assetId: 'asset:a', altText: 'x' }, { parentId: 'shape:f' }),
  'shape:j': shape('image', { w: 3, h: 2, assetId: 'asset:a' }),
  'asset:a': { typeName: 'asset', type: 'image', props: { src: 'https://example.com/a.png' } },
  'binding:b': { typeName: 'binding', fromId: 'shape:g', toId: 'shape:n' }
}
const tie = (fromId, toId, props) => ({ typeName: 'binding', type: 'arrow', fromId, toId, props: { terminal: 'start', normalizedAnchor: { x: 0.5, y: 0.25 }, isPrecise: true, ...props } })
const connected = {
  ...drawn,
  'shape:w': shape('arrow', { start: { x: 1, y: 2 }, end: { x: 30, y: 4 }, bend: 3, size: 'm', arrowheadEnd: 'arrow', text: 'x' }, { rotation: 1 }),
  'shape:v': shape('arrow', { end: { x: 9 } }, { parentId: 'shape:f' }),
  'binding:w': tie('shape:w', 'shape:n'),
  'binding:x': tie('shape:w', 'shape:g', { terminal: 'end', isExact: true }),
  'binding:v': tie('shape:v', 'shape:f')
}
// --- picture
// ------------------------------------------------------------------------------------------------------

/** What is wanted, and the records by key; see `picture`. */
const picture = (asked, records) => [asked, records].map(value => JSON.stringify(value)).join('\n')
const ink = (...points) => [{ type: 'free', points: points.map(([x, y, z = 0.5]) => ({ x, y, z })) }]
const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const pictured = {
  'page:page': { typeName: 'page', index: 'a1' },
  'shape:n': shape('note', { scale: 1, growY: 20, color: 'red', size: 'm', richText: rich('a <b> & "c"', 'd') }),
  'shape:g': shape('geo', { w: 120, h: 80, growY: 1, scale: 2, geo: 'cloud', dash: 'dashed', fill: 'pattern', richText: rich('x') }, { rotation: 1, opacity: 0.5 }),
  'shape:t': shape('text', { w: 80, autoSize: false, scale: 1, font: 'mono', richText: { type: 'doc', content: [{ type: 'bulletList', content: [{ type: 'listItem', content: [{ type: 'paragraph', content: [{ type: 'text', text: 'wide text', marks: [{ type: 'bold' }, { type: 'link' }] }] }] }] }] } }, { index: 'zz' }),
  'shape:f': shape('frame', { w: 300, h: 200, name: 'F' }, { rotation: 0.5 }),
  'shape:i': shape('image', { w: 30, h: 20, assetId: 'asset:a', altText: 'x', flipX: true, crop: { topLeft: { x: 0.1, y: 0.2 }, bottomRight: { x: 0.9, y: 1 }, isCircle: true } }, { parentId: 'shape:f' }),
  'shape:q': shape('group', {}, { parentId: 'shape:f' }),
  'shape:d': shape('draw', { segments: ink([0, 0], [20, 3], [40, 0], [10, 9]), dash: 'draw', size: 'l', isClosed: true, fill: 'solid' }, { parentId: 'shape:q' }),
  'shape:h': shape('highlight', { segments: [{ type: 'straight', points: [{ x: 0, y: 0 }, { x: 90, y: 9 }] }] }, { parentId: 'shape:q' }),
  'shape:l': shape('line', { spline: 'cubic', dash: 'dotted', points: { a: { index: 'a1', x: 1, y: -2 }, b: { index: 'a2', x: 7, y: 50 }, c: { index: 'a3', x: 70, y: 5 } } }),
  'shape:w': shape('arrow', { start: { x: 1, y: 2 }, end: { x: 300, y: 4 }, bend: 30, size: 'm', arrowheadStart: 'dot', arrowheadEnd: 'arrow', text: 'label', dash: 'draw' }),
  'shape:e': shape('arrow', { start: { x: 1, y: 2 }, end: { x: 300, y: 400 }, kind: 'elbow', elbowMidPoint: 0.3, arrowheadEnd: 'diamond', fill: 'fill', dash: 'draw' }),
  'shape:u': shape('bookmark', { w: 100, h: 50, url: 'https://example.com' }),
  'asset:a': { typeName: 'asset', type: 'image', props: { src: PIXEL } },
  'binding:w': tie('shape:w', 'shape:n'),
  'binding:x': tie('shape:w', 'shape:g', { terminal: 'end', isPrecise: false }),
  'binding:e': tie('shape:e', 'shape:q'),
  'binding:y': tie('shape:e', 'shape:d', { terminal: 'end', isExact: true })
}
write('picture', {
  whole: picture(['page:page', 0.5], pictured),
  frame: picture(['frame', null], pictured),
  area: picture(['bbox', 1], pictured),
  empty: picture([], {}),
  circle: picture([], { ...pictured, 'shape:q': shape('group', {}, { parentId: 'shape:q' }), 'shape:f': shape('frame', { w: 1e300, h: -5 }, { x: 1e300 }) })
})

write('items', {
  create: items({}, ['create', 'a', { type: 'sticky', x: 1, y: 2, width: 100, content: { text: 'hello\nyou' }, style: { color: 'blue' } }]),
  image: items({}, ['create', 'a', { type: 'image', x: 0, y: 0, content: { url: 'https://example.com/a.png', alt: 'A' } }, 'r']),
  batch: items(drawn, ['create', 'k', { type: 'document', x: 1, y: 2, content: { title: 'T', text: 'x', url: 'mailto:a@b' } }],
    ['update', 'i', { content: { url: '/b.png' } }], ['update', 'g', { x: 7, style: { geo: 'cloud', size: null } }], ['delete', 'f']),
  size: items(drawn, ['update', 'n', { width: 300, height: 100.5, content: null }]),
  text: items(drawn, ['update', 't', { width: 40, y: -3, style: null }]),
  order: items(drawn, ['update', 'n', { z: { above: 'g' }, rotation: 1, opacity: 0.5, locked: true }]),
  parent: items({ ...drawn, 'shape:f': shape('frame', { w: 300, h: 200 }) }, ['create', 'k', { type: 'sticky', x: 1, y: 2, parent: 'f', z: 'back' }], ['update', 'n', { parent: 'f', z: { below: 'k' } }]),
  points: items({ ...drawn, 'shape:l': shape('line', { points: { a: { id: 'a1', index: 'a1', x: 1, y: -2 }, b: { index: 'a2', x: 7, y: 0.5 } } }), 'shape:d': shape('draw', { segments: [{ type: 'free', points: [{ x: 0, y: 0, z: 0.5 }, { x: -3, y: 4 }] }] }, { rotation: 1 }) },
    ['update', 'd', { x: 5, rotation: 0.5 }], ['create', 'p', { type: 'highlight', points: [[1, 2], [3, -4]] }], ['update', 'l', { points: [[0, 0], [1, 1]] }]),
  layout: items({ ...drawn, 'shape:x': shape('arrow', {}), 'binding:x': { typeName: 'binding', fromId: 'shape:x', toId: 'shape:n', props: { terminal: 'start' } }, 'binding:y': { typeName: 'binding', fromId: 'shape:x', toId: 'shape:j', props: { terminal: 'end' } } },
    ['layout', '-', { items: ['j', 'n'], connectors: ['x'], kind: 'layered', gap: 5, at: { x: 1, y: 2 } }], ['layout', '-', { items: ['n', 'i', 'j'], kind: 'grid', direction: 'down' }]),
  gone: items(drawn, ['delete', 'j']),
  connect: items(connected, ['create', 'k', { type: 'connector', from: { item: 'm' }, to: { item: 'n', anchor: { x: 0, y: 1 } }, style: { kind: 'elbow', bend: 5 } }],
    ['create', 'm', { type: 'text', x: 5, y: 6 }], ['update', 'w', { to: { x: 1, y: 2 }, from: { anchor: { x: 1 } } }], ['delete', 'g']),
  connected: items(connected, ['update', 'w', { from: { item: 'f' }, to: { item: 't' }, content: { text: 'y' } }]),
  released: items(connected, ['delete', 'n']),
  repeated: items({ 'shape:a': shape('frame', { w: 1, h: 1 }, { meta: { item_id: 'a', request: 'r' } }) },
    ['create', 'a', { type: 'frame', x: 0, y: 0 }, 'r'], ['create', 'b', { type: 'shape', x: 0, y: 0 }, 'r'], ['delete', 'z']),
  refused: items(drawn, ['update', 'n', { content: { txt: 1 } }], ['create', 'n', { id: 'n', type: 'text', x: 1e10 }])
})

// --- step sequences
// ----------------------------------------------------------------------------------------------

/** Four bytes a step: who, what, where, with what; see `compact_vs_model`. */
const steps = (seed, count) => Buffer.from(Array.from({ length: count * 4 }, () => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
  return seed >>> 16 & 255
}))
write('compact', {
  typing: Array.from({ length: 24 }, (_, n) => [n, n % 8 === 7 ? 7 : 0, n, n]).flat(),
  overwriting: Array.from({ length: 40 }, (_, n) => [n, n % 5 === 4 ? 7 : 4 + n % 3, n, n >> 1]).flat(),
  mixed_1: steps(1, 60),
  mixed_2: steps(2, 60)
})
write('store_ops', {
  // One byte a step, some with operands: create 9, append 0, snapshot 7, delete 11, commit 12, fail 14, close
  // and open 15.
  write: [9, 12, 0, 40, 0, 50, 12, 7, 0, 90, 12, 0, 10, 15, 0],
  remove: [9, 0, 9, 12, 11, 0, 12, 9, 12],
  neighbours: [9, 0x29, 0x49, 0x69, 12, 0, 5, 0x20, 6, 0x40, 7, 0x60, 8, 12, 0x27, 1, 9, 12],
  fail: [9, 12, 0, 30, 14, 5, 12, 0, 30, 12, 14, 11, 0, 255, 12],
  large: [9, 12, 0, 255, 7, 0, 254, 12, 15, 250],
  mixed_1: steps(3, 30),
  mixed_2: steps(4, 30)
})
write('session_ops', {
  // The first byte tells honest clients (even) from hostile ones; then operation, client and operands, see
  // `operate`.
  honest: [0, 0, 0, 0, 0, 0, 0, 2, 0, 5, 3, 1, 3, 5, 0, 5, 1, 8, 0, 2, 9, 0, 1, 0, 0, 0, 1, 13, 0, 6, 0, 12, 0],
  presence: [0, 0, 0, 0, 0, 0, 2, 11, 0, 3, 1, 2, 12, 0, 5, 0, 5, 1, 7, 0, 200, 12, 1, 1, 0, 0, 0, 0],
  levels: [0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2, 0, 4, 10, 0, 1, 5, 0, 8, 0, 3, 5, 0],
  hostile: [1, 0, 0, 0, 0, 0, 0, 14, 0, 9, 0, 2, 2, 0, 0, 15, 1, 8, 255, 255, 255, 255, 15, 1, 2, 3, 8, 0, 1],
  mixed_1: [0, ...steps(5, 60)],
  mixed_2: [1, ...steps(6, 60)]
})
write('canary', { word: 'twee' })

// --- the Model Context Protocol
// ------------------------------------------------------------------------------------------------------

const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} }
const asked = (fields, id, method, params) => [...fields, JSON.stringify({ jsonrpc: '2.0', id, method, params })].join('\n')
write('mcp_message', {
  discover: asked(['2026-07-28', 'server/discover', ''], 'a', 'server/discover', { _meta: meta }),
  call: asked(['2026-07-28', 'tools/call', '=?base64?ZHJhdw==?='], 1, 'tools/call', { _meta: meta, name: 'draw', arguments: { items: [] } }),
  read: asked(['2026-07-28', 'resources/read', 'boardwire://boards/a'], 2, 'resources/read', { _meta: meta, uri: 'boardwire://boards/a' }),
  initialize: asked(['', '', ''], 0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} }),
  list: asked(['2025-11-25', '', ''], 3, 'tools/list', { cursor: 'x' }),
  note: '\n\n\n' + JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }),
  item: '\n\n\n' + JSON.stringify({
    id: 'a', type: 'connector', from: { item: 'b' }, to: { x: 1, y: -0.2 }, content: { text: 'two\nlines', url: 'data:image/png;base64,AAAA' },
    style: { color: 'red' }, rotation: 1, locked: true, points: [[1, 2]], parent: 'c', x: 1, y: 2, width: 3, height: 4
  })
})

// --- kinds of assets
// ------------------------------------------------------------------------------------------------------

const box = (name, ...parts) => {
  const content = Buffer.concat(parts.map(part => Buffer.from(part)))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length + 8)
  return Buffer.concat([length, Buffer.from(name), content])
}
const latin = text => Buffer.from(text, 'latin1')
write('asset_kind', {
  png: latin('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x02\0'),
  jpeg: latin('\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x02\xff\xc2\0\x0b\x08\x02\0\x01\0'),
  gif: latin('GIF89a\0\x01\0\x02'),
  webp: latin('RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\xff\0\0\xff\x01\0'),
  webp_lossless: latin('RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\xff\xc0\x7f\0'),
  avif: Buffer.concat([
    box('ftyp', 'avif\0\0\0\0mif1'),
    box('meta', [0, 0, 0, 0], box('iprp', box('ipco', box('ispe', [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0]))))
  ]),
  mp4: box('ftyp', 'isom\0\0\x02\0iso2mp41'),
  webm: latin('\x1a\x45\xdf\xa3\x8b\x42\x86\x81\x01\x42\x82\x84webm\0'),
  svg: '<?xml version="1.0"?><!-- a --><!DOCTYPE svg PUBLIC "a" "b"><svg xmlns="x"><script/></svg>',
  address: '/v1/boards/a/assets/' + 'ab'.repeat(32) + '"'
})

// --- files of other programs
// -------------------------------------------------------------------------------------------

const peer = path => readFileSync(new URL(`../tests/it/keeping/peers/${path}`, import.meta.url))

write('import_sqlite', { hocuspocus: peer('hocuspocus/hocuspocus.sqlite') })
write('import_ysweet', { plan: peer('y-sweet/plan/data.ysweet') })

const tldrFile = (records, schema = {}) => JSON.stringify({ tldrawFileFormatVersion: 1, schema, records })
const tldrPage = { typeName: 'page', id: 'page:p', name: 'Page 1', index: 'a1', meta: {} }
write('import_tldr', {
  page: tldrFile([tldrPage, { typeName: 'camera', id: 'camera:page:p' }], { schemaVersion: 2, sequences: { 'com.tldraw.page': 1 } }),
  newer: tldrFile([tldrPage], { sequences: { 'com.tldraw.page': 9 } }),
  odd: tldrFile([{ typeName: 'page', id: 'shape:p' }, 1])
})

/** A file of a store as `leveldb` takes it; of the log only what stands before its second batch in parts. */
const storeFile = name => {
  let bytes = peer(`y-leveldb/${name}`)
  if (name.endsWith('.log')) {
    let end = 0
    while (bytes[end + 6] === 1) end += 7 + bytes.readUInt16LE(end + 4)
    bytes = bytes.subarray(0, end)
  }
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), length, bytes])
}
const storeFiles = readdirSync(new URL('../tests/it/keeping/peers/y-leveldb/', import.meta.url)).sort()
const firstRecord = bytes => bytes.subarray(7, 7 + bytes.readUInt16LE(4))
write('import_leveldb', {
  store: Buffer.concat(storeFiles.map(storeFile)),
  batch: firstRecord(peer(`y-leveldb/${storeFiles.find(name => name.endsWith('.log'))}`)),
  change: firstRecord(peer(`y-leveldb/${storeFiles.find(name => name.startsWith('MANIFEST'))}`)),
  // Two keys that share three bytes; the second is no more.
  entries: [0, 12, 2, ...Buffer.from('key1'), 1, 5, 0, 0, 0, 0, 0, 0, 7, 7, 3, 9, 0, 50, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
  key: [0, 2, ...Buffer.from('v1'), 0, 4, ...Buffer.from('plan'), 0, 6, ...Buffer.from('update'), 1, 0, 0, 0, 5]
})
