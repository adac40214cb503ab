// A machine smaller than this one: cgroups that hold a server to some memory and a share of a core.
'use strict'
const fs = require('node:fs')
const path = require('node:path')

const ROOT = '/sys/fs/cgroup'
/** Short, so that a share of a core is slow and not in turns fast and stopped. */
const PERIOD_US = 5_000

/** What is written where, by version and controller. */
function settings({ cores, memory_bytes: memory }) {
  const quota = cores < 1 ? Math.round(cores * PERIOD_US) : undefined
  if (fs.existsSync(path.join(ROOT, 'cgroup.controllers'))) {
    return [{
      under: ROOT,
      files: { ...memory && { 'memory.max': memory, 'memory.swap.max': 0 }, ...quota && { 'cpu.max': `${quota} ${PERIOD_US}` } },
    }]
  }
  const first = [
    memory && { under: path.join(ROOT, 'memory'), files: { 'memory.limit_in_bytes': memory } },
    quota && { under: path.join(ROOT, 'cpu'), files: { 'cpu.cfs_period_us': PERIOD_US, 'cpu.cfs_quota_us': quota } },
  ]
  return first.filter(Boolean)
}

function number(file, name = '') {
  try {
    return Number(fs.readFileSync(file, 'utf8').match(new RegExp(`^${name}\\s*(\\d+)`, 'm'))[1])
  } catch {
    return undefined
  }
}

/**
 * Makes one. `before` are the words that put a command in it; `wasFull` says whether the kernel killed somebody
 * for memory since it was last asked; `kernelBytes` the most that the kernel itself held for it, sockets above all,
 * beyond what it held at the last `mark`. Where it cannot be made there is `why`.
 */
function cage(machine) {
  const open = { before: [], wasFull: () => false, mark: () => {}, kernelBytes: () => undefined, remove: () => {} }
  if (!machine.memory_bytes && machine.cores >= 1) return open
  const made = []
  const remove = () => {
    for (const directory of made.splice(0)) {
      try {
        fs.rmdirSync(directory)
      } catch {
        // Somebody still ends in it.
      }
    }
  }
  try {
    for (const { under, files } of settings(machine)) {
      const directory = path.join(under, `boardwire-capacity-${process.pid}-${made.length}`)
      fs.mkdirSync(directory)
      made.push(directory)
      for (const [file, value] of Object.entries(files)) fs.writeFileSync(path.join(directory, file), String(value))
    }
  } catch (error) {
    remove()
    return { ...open, why: `cgroups cannot be used here (${error.code ?? error.message}); root can` }
  }
  process.on('exit', remove)
  const any = (...tries) => {
    for (const [file, name] of tries) {
      for (const directory of made) {
        const found = number(path.join(directory, file), name)
        if (found !== undefined) return found
      }
    }
    return undefined
  }
  // Version 2 does not keep the most.
  const kernel = () => any(['memory.stat', 'kernel'], ['memory.kmem.usage_in_bytes'])
  const most = () => any(['memory.kmem.max_usage_in_bytes']) ?? kernel()
  let marked = 0
  const mark = () => {
    marked = kernel()
    const peak = made.map(one => path.join(one, 'memory.kmem.max_usage_in_bytes')).find(fs.existsSync)
    if (peak) fs.writeFileSync(peak, '0')
  }
  const kills = () => any(['memory.events', 'oom_kill'], ['memory.oom_control', 'oom_kill']) ?? 0
  let seen = kills()
  return {
    before: ['sh', '-c', `echo $$ | tee ${made.map(one => `${one}/cgroup.procs`).join(' ')} >/dev/null && exec "$@"`, 'sh'],
    wasFull: () => {
      const before = seen
      seen = kills()
      return seen > before
    },
    mark,
    kernelBytes: () => Math.max(0, most() - marked) || undefined,
    remove,
  }
}

module.exports = { cage }
