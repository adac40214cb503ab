// The real nginx as a proxy in front of a server: on a port of its own, with all its files in a directory of
// its own.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../node/support/wait.mjs'

// Debian has it where only root looks.
const NGINX = process.env.NGINX_BIN ?? '/usr/sbin/nginx'

/** What docs/operations.md tells to pass on, and what each of the two is about. */
export const HOST = 'proxy_set_header Host $http_host;'
export const UPGRADE = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;'

/** Starts nginx for the test's `stage` on `port` with these lines in its server block. */
export function startNginx (stage, port, locations) {
  return runNginx(stage, port, `
      map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
      server { listen 127.0.0.1:${port}; ${locations} }`)
}

/** Starts nginx for the test's `stage` with these lines in its http block, which have it listen on `port`. */
export async function runNginx (stage, port, http) {
  const found = spawnSync(NGINX, ['-v'])
  if (found.error) throw new Error(`${NGINX} is missing, behind which the page is tested. On Debian: apt-get install nginx-light; or set NGINX_BIN.`)
  const directory = mkdtempSync(join(tmpdir(), 'boardwire-nginx-'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${directory}/${name};`)
  writeFileSync(join(directory, 'nginx.conf'), `
    daemon off; master_process off; pid ${directory}/pid; error_log stderr warn;
    events { worker_connections 128; }
    http {
      access_log off; ${temporary.join(' ')}
      ${http}
    }`)
  const child = spawn(NGINX, ['-p', directory, '-c', 'nginx.conf'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', chunk => { log += chunk })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  stage.atEnd(() => {
    process.off('exit', kill)
    kill()
    rmSync(directory, { recursive: true, force: true })
  })
  const origin = `http://127.0.0.1:${port}`
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`nginx did not start:\n${log}`)
    return await fetch(origin).then(() => true, () => false)
  }, () => `nginx to answer:\n${log}`)
  return origin
}
