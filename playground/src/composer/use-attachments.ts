/** Reads files into a draft. */
import { type Dispatch, type SetStateAction, useCallback, useRef, useState } from 'react'
import { formatBytes } from '../figures.ts'
import { type Draft, MAX_ATTACHED_BYTES, attach as readFile } from './draft.ts'

/** Adds files to the draft; `problem` says why some could not be added. */
export function useAttachments(draft: Draft, setDraft: Dispatch<SetStateAction<Draft>>) {
  const [problem, setProblem] = useState<string>()
  const latest = useRef(draft)
  latest.current = draft
  const attach = useCallback(
    async (files: Iterable<File>) => {
      let room = MAX_ATTACHED_BYTES - latest.current.attachments.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
      const taken: File[] = []
      const left: string[] = []
      for (const file of files) {
        if (file.size > room) left.push(file.name)
        else {
          taken.push(file)
          room -= file.size
        }
      }
      const results = await Promise.allSettled(taken.map(readFile))
      const read = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      setDraft((before) => ({ ...before, attachments: [...before.attachments, ...read] }))
      if (left.length > 0)
        setProblem(
          `Attachments may have ${formatBytes(MAX_ATTACHED_BYTES)} in total. Not attached: ${left.join(', ')}.`,
        )
      else setProblem(read.length < taken.length ? 'A file could not be read. Folders cannot be attached.' : undefined)
    },
    [setDraft],
  )
  return { attach, problem }
}
