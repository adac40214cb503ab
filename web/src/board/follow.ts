// Following somebody: the camera and page go where theirs go, until one moves oneself. tldraw does the
// moving.
import { react, type Editor } from 'tldraw'
import { followName, type Peer } from './presence'
import { goTo } from './view'

/** Follows somebody; who has no window of their own, or follows whoever asks, is gone to once. `own` is one's own awareness client. */
export function follow (editor: Editor, peer: Peer, own: number): void {
  const isCircle = leadsTo(peer.following, own, one => presenceOf(editor, one)?.followingUserId ?? '')
  if (peer.camera === null || isCircle) goTo(editor, peer.page, peer.cursor)
  else editor.startFollowingUser(followName(peer.user.id, peer.client))
}

/** Whether whom somebody follows, or whom those follow, is one's own window. `next` is whom a followed one follows; empty for nobody. */
export function leadsTo (following: string, own: number, next: (following: string) => string): boolean {
  const passed = new Set<string>()
  for (let at = following; at !== '' && !passed.has(at); at = next(at)) {
    if (at.endsWith(`#${own}`)) return true
    passed.add(at)
  }
  return false
}

/** The name of who is followed; null for nobody. */
export function followedName (editor: Editor): string | null {
  const { followingUserId } = editor.getInstanceState()
  return followingUserId === null ? null : presenceOf(editor, followingUserId)?.userName ?? null
}

/** Says so where who is followed has left. Returns how to stop. */
export function watchFollowed (editor: Editor, hint: (text: string) => void): () => void {
  let before: { id: string, name: string } | null = null
  return react('followed', () => {
    const id = editor.getInstanceState().followingUserId
    if (id !== null) {
      const name = followedName(editor)
      if (name !== null) before = { id, name }
      return
    }
    if (before !== null && presenceOf(editor, before.id) === undefined) hint(`${before.name} left. You follow nobody now.`)
    before = null
  })
}

function presenceOf (editor: Editor, userId: string) {
  return editor.getCollaborators().find(one => one.userId === userId)
}
