// A certificate of localhost and 127.0.0.1 with its key, made by openssl, as the flags of a server that shows
// it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Makes one in a directory that goes when this process ends. */
export function certificate () {
  const directory = mkdtempSync(join(tmpdir(), 'boardwire-tls-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  const [cert, key] = ['cert.pem', 'key.pem'].map(name => join(directory, name))
  execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key, '-out', cert,
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'], { stdio: 'pipe' })
  return { 'tls-cert': cert, 'tls-key': key }
}
