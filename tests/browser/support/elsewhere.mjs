// Another site beside the server: where people sign in, and a page that has a board in a frame.
import { createServer } from 'node:http'
import { mint } from '../../node/support/token.mjs'

/**
 * A site of an operator. `/in?return=...` leads back there with a token of whom `site.who` names in the fragment, as `--login-url`
 * is to; `/around?board=...` has that address in a frame, and answers it with `site.hand`. What it was asked is in `site.asked`.
 */
export async function elsewhere (stage) {
  const site = { who: { sub: 'alice' }, hand: null, asked: [] }
  const server = createServer((request, answer) => {
    const url = new URL(request.url, 'http://site')
    site.asked.push(request.url)
    if (url.pathname === '/in') {
      const back = url.searchParams.get('return') ?? ''
      answer.writeHead(302, { location: site.who === null ? back : `${back}#token=${mint(site.who)}` }).end()
    } else if (url.pathname === '/around') {
      answer.writeHead(200, { 'content-type': 'text/html' }).end(around(url.searchParams.get('board')))
    } else answer.writeHead(204).end()
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  stage.atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  site.origin = `http://127.0.0.1:${server.address().port}`
  site.login = site.origin + '/in?app=boards'
  return site
}

const around = board => `<!doctype html><title>Around</title>
<style>html, body { height: 100%; margin: 0 } iframe { width: 100%; height: 100%; border: 0 }</style>
<iframe title="Board" src="${board.replace(/"/g, '&quot;')}" allow="clipboard-write"></iframe>
<script>
  window.asked = []
  window.hand = null
  window.give = token => document.querySelector('iframe').contentWindow.postMessage({ type: 'boardwire:token', token }, '*')
  addEventListener('message', ({ data, source }) => {
    if (data.type !== 'boardwire:token-needed') return
    window.asked.push(data.board)
    if (window.hand !== null) source.postMessage({ type: 'boardwire:token', token: window.hand }, '*')
  })
</script>`
