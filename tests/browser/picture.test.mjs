// The server's picture of a board and the page's own export of it look the same at the size of a thumbnail.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { NEAR, WIDTH, compare, exported } from './support/compared.mjs'
import * as boards from './support/pictured.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'

const test = suite()

for (const [name, { items, after, theme = 'light' }] of Object.entries(boards.ALL)) {
  test(`${name}: near enough to the page's own export at thumbnail size, as a wrong picture is not`, async (stage, t) => {
    const board = await stage.board('alice', name)
    const api = stage.api('alice')
    await api.ok('POST', `/v1/boards/${board}/items/batch`, { operations: items.map(item => ({ action: 'create', item })) })
    const tab = await (await stage.person('alice')).open(board)
    if (after !== undefined) {
      await tab.page.evaluate(after)
      await tab.says('connected', 'saved')
    }
    const theirs = await tab.page.evaluate(exported, theme === 'dark')
    const answer = await api.call('GET', `/v1/boards/${board}/picture.png?theme=${theme}`)
    assert.equal(answer.status, 200)
    const ours = `data:image/png;base64,${answer.body.toString('base64')}`
    const seen = await tab.page.evaluate(compare, { ours, theirs, width: WIDTH })
    writeFileSync(output(`picture-${name}.png`), Buffer.from(seen.pair.split(',')[1], 'base64'))
    t.diagnostic(`differs by ${seen.near.toFixed(2)}, wrong ones by ${seen.wrong.map(n => n.toFixed(1)).join(' and ')}; ${seen.sizes.join(' and ')}`)
    assert.ok(seen.near <= NEAR, `differs by ${seen.near}`)
    assert.ok(seen.wrong.every(wrong => wrong > NEAR), `a wrong one differs by ${seen.wrong} only`)
  })
}
