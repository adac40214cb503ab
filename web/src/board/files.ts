// Files that the page gives to the browser to be saved.

/** What a file may be called after a name that others chose: letters, digits and spaces of it. */
export function stemOf (name: string, fallback: string): string {
  return name.replace(/[^\p{L}\p{N}_-]+/gu, ' ').trim().slice(0, 80) || fallback
}

/** Saves what an address holds. */
export function saveAs (name: string, href: string): void {
  const link = document.createElement('a')
  link.href = href
  link.download = name
  link.click()
}

/** What a file holds, as an address. */
export async function readAsDataUrl (file: Blob): Promise<string> {
  return await new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result))
    reader.onerror = () => reject(reader.error ?? new Error('the file could not be read'))
    reader.readAsDataURL(file)
  })
}

/** Saves a value as JSON. */
export function saveJson (name: string, value: unknown): void {
  saveText(name, JSON.stringify(value, null, 2), 'application/json')
}

/** Saves a text of this type. */
export function saveText (name: string, text: string, type: string): void {
  const href = URL.createObjectURL(new Blob([text], { type }))
  saveAs(name, href)
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(href), 10_000)
}
