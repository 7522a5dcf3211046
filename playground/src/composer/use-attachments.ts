import { type Dispatch, type SetStateAction, useCallback, useState } from 'react'
import { formatBytes } from '../figures.ts'
import { type Draft, MAX_ATTACHED_BYTES, attach as read } from './draft.ts'

/** Reads files into the draft; `problem` says why some are missing. */
export function useAttachments(setDraft: Dispatch<SetStateAction<Draft>>) {
  const [problem, setProblem] = useState<string>()
  const attach = useCallback(
    async (files: Iterable<File>) => {
      setProblem(undefined)
      const read_ = await Promise.allSettled([...files].filter(fits).map(read))
      const tooLarge = [...files].filter((file) => !fits(file)).map((file) => file.name)
      const unread = read_.some((result) => result.status === 'rejected')
      setDraft((draft) => {
        const attachments = [
          ...draft.attachments,
          ...read_.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
        ]
        return { ...draft, attachments }
      })
      if (tooLarge.length > 0)
        setProblem(`Too large to send (more than ${formatBytes(MAX_ATTACHED_BYTES)}): ${tooLarge.join(', ')}.`)
      else if (unread) setProblem('A file could not be read. Folders cannot be attached.')
    },
    [setDraft],
  )
  return { attach, problem }
}

const fits = (file: File) => file.size <= MAX_ATTACHED_BYTES
