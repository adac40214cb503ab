// Handshakes of TLS that are begun by the thousand: left half done, broken off, and such that cost a
// signature each.
import tls from 'node:tls'
import { certificate } from '../../node/support/certificate.mjs'
import { dialBare, pour } from '../support/peer.mjs'

/** The first bytes of a handshake: a record that never comes whole. */
const BEGUN = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])
const AT_ONCE = 2_000

let made

export const handshakes = [
  {
    row: 'flood',
    name: 'half-done-handshakes',
    about: `${AT_ONCE} handshakes of TLS at a time that are never done, and 8 who do one after the other`,
    get flags () { return (made ??= certificate()) },
    run: async on => {
      const half = on.loop(AT_ONCE, async () => {
        const socket = dialBare(on.server)
        pour(socket, BEGUN)
        const cut = new Promise(resolve => socket.on('close', () => resolve(true)))
        on.note(await Promise.race([cut, on.over()]) ? 'cut' : 'open')
      })
      const whole = on.loop(8, () => new Promise(resolve => {
        const socket = tls.connect({ host: on.server.host, port: on.server.port, rejectUnauthorized: false })
        socket.on('secureConnect', () => { on.note('done'); socket.destroy() })
        socket.on('error', () => on.note('not done'))
        socket.on('close', resolve)
      }))
      await Promise.all([half, whole])
    },
    must: ['cut', 'done'],
    may: ['open', 'not done']
  }
]
