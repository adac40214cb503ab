// Who is followed, and the way to stop: by its button, by Escape, or by moving the camera.
import { useEffect } from 'react'
import { useEditor, useValue } from 'tldraw'
import { followedName } from './follow'

export function Following () {
  const editor = useEditor()
  const name = useValue('followed', () => followedName(editor), [editor])
  const isFollowing = name !== null
  useEffect(() => {
    if (!isFollowing) return
    const life = new AbortController()
    addEventListener('keydown', event => { if (event.key === 'Escape') editor.stopFollowingUser() }, { signal: life.signal, capture: true })
    return () => life.abort()
  }, [editor, isFollowing])
  return (
    <div className='bw-following' role='status' data-testid='following'>
      {isFollowing && (
        <span className='bw-following-words'>
          <span className='bw-following-name'>You follow {name}</span>
          <button type='button' className='bw-button' onClick={() => editor.stopFollowingUser()}>Stop</button>
        </span>
      )}
    </div>
  )
}
