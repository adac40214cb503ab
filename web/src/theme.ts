// Light or dark, as somebody chose on a canvas: styles.css has the colours of both.

/** Shows the page that way; `system` is as the browser says. */
export function showTheme (theme: 'light' | 'dark' | 'system' | undefined): void {
  document.documentElement.dataset['theme'] = theme ?? 'system'
}
