// Choosing a level.
import { LEVELS, type Level } from '../api'
import { offeredWords } from '../words'

interface LevelSelectProps {
  readonly value: Level
  readonly onChange: (level: Level) => void
  /** For assistive technology, where no label stands beside it. */
  readonly label?: string
  readonly disabled?: boolean
}

export function LevelSelect ({ value, onChange, label, disabled = false }: LevelSelectProps) {
  return (
    <select
      className='bw-input' value={value} aria-label={label} disabled={disabled}
      onChange={event => onChange(event.target.value as Level)}
    >
      {LEVELS.map(level => <option key={level} value={level}>{offeredWords(level)}</option>)}
    </select>
  )
}
