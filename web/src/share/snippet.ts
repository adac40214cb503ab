// How an agent draws, as a command to paste.

/** Draws a sticky note with curl. None of the values can hold a quote: they are an address, a board id and a key. */
export function snippet (server: string, board: string, key: string): string {
  return [
    `curl ${server}/v1/boards/${encodeURIComponent(board)}/items \\`,
    `  -H 'X-API-Key: ${key}' \\`,
    '  -H \'Content-Type: application/json\' \\',
    '  -d \'{"type":"sticky","x":0,"y":0,"content":{"text":"Hello from an agent"}}\''
  ].join('\n')
}
