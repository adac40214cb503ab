import { expect, test } from 'vitest'
import { keepIn } from './browser'

test('a storage that throws, or takes nothing, is made up for by memory, and says so', () => {
  const refuse = (): never => { throw new DOMException('no', 'SecurityError') }
  const full = { setItem: refuse, getItem: () => null, removeItem: () => {} } as unknown as Storage
  for (const keep of [keepIn(refuse), keepIn(() => full)]) {
    expect(keep.fleeting).toBe(true)
    expect(keep.getItem('a')).toBeNull()
    keep.setItem('a', '1')
    expect(keep.getItem('a')).toBe('1')
    keep.removeItem('a')
    expect(keep.getItem('a')).toBeNull()
  }
})

test('a storage that works is used, and one that is full later breaks nothing', () => {
  const store = new Map<string, string>()
  let isFull = false
  const storage = {
    getItem: (name: string) => store.get(name) ?? null,
    setItem: (name: string, value: string) => { if (isFull) throw new DOMException('full', 'QuotaExceededError'); store.set(name, value) },
    removeItem: (name: string) => { store.delete(name) }
  } as unknown as Storage
  const keep = keepIn(() => storage)
  expect(keep.fleeting).not.toBe(true)
  keep.setItem('a', '1')
  isFull = true
  keep.setItem('a', '2')
  expect([...store]).toEqual([['a', '1']])
})

// The kind of fault: one more place that takes for granted what a browser may withhold.
test('nothing but browser.ts and the service worker touches what a browser may withhold', () => {
  const withheld = /\b(localStorage|sessionStorage|indexedDB|caches\.|crypto\.|navigator\.(clipboard|serviceWorker|locks|storage)|new (Shared)?Worker|BroadcastChannel|execCommand)/
  const files = import.meta.glob<string>('./**/*.{ts,tsx}', { query: '?raw', import: 'default', eager: true })
  const sources = Object.entries(files).filter(([file]) => !/\.test\.ts$|^\.\/(browser\.ts|worker\/)/.test(file))
  expect(sources.length).toBeGreaterThan(40)
  const code = (text: string) => text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
  expect(sources.filter(([, text]) => withheld.test(code(text))).map(([file]) => file)).toEqual([])
})
