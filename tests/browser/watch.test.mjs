// The watch itself: what it is there to find, it finds. Every other test leans on it.
import assert from 'node:assert/strict'
import { test as nodeTest } from 'node:test'
import { until } from '../node/support/wait.mjs'
import { Watch } from './support/watch.mjs'
import { suite } from './support/stage.mjs'

const test = suite()

// Each thing that no page may do, and how the watch calls it.
const DEEDS = {
  'prints an error': [() => console.error('oh no'), /console error: oh no/],
  'prints a warning': [() => console.warn('oh dear'), /console warning: oh dear/],
  throws: [() => { setTimeout(() => { throw new Error('unheard') }) }, /page error: Error: unheard/],
  'leaves a rejection': [() => { void Promise.reject(new Error('unhandled')) }, /page error: Error: unhandled/],
  'asks another origin': [() => { void fetch('http://127.0.0.1:9/').catch(() => {}) }, /another origin|content security policy/],
  'loads an image from elsewhere': [() => { new Image().src = 'http://127.0.0.1:9/x.png' }, /another origin|content security policy/],
  'connects elsewhere': [() => { try { new WebSocket('ws://127.0.0.1:9/') } catch {} }, /another origin|content security policy/],
  'runs a script of its text': [() => {
    const script = document.createElement('script')
    script.textContent = 'window.ran = true'
    document.head.append(script)
  }, /content security policy: script-src/]
}

for (const [deed, [play, words]] of Object.entries(DEEDS)) {
  test(`a page that ${deed} is caught`, async stage => {
    const person = await stage.person(null)
    const { page } = await person.visit('/')
    await page.evaluate(play)
    await until(() => {
      try {
        person.watch.check()
        return false
      } catch (error) {
        return words.test(error.message)
      }
    }, () => `the watch to find it; it found ${JSON.stringify(person.watch)}`, 5_000)
    // It did what it must not do on purpose.
    person.watch.forgive()
  })
}

nodeTest('only what a test expects is let pass', () => {
  const watch = new Watch(null, 'http://127.0.0.1:1')
  watch.note('console error', 'Failed to load resource: net::ERR_CONNECTION_REFUSED (x)')
  assert.throws(() => watch.check(), /CONNECTION_REFUSED/)
  watch.expect('refused')
  assert.throws(() => watch.check())
  watch.expect('unreachable')
  watch.check()
})
