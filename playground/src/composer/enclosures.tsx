/** The attachments of a draft. */
import { IconButton } from '../controls.tsx'
import { formatBytes } from '../figures.ts'
import { Icon } from '../icons.tsx'
import type { Draft } from './draft.ts'

/** Lists the attachments, each with a button to remove it. */
export function Enclosures({ draft, onDraft }: { draft: Draft; onDraft: (draft: Draft) => void }) {
  const { attachments, fileUrls } = draft
  if (attachments.length + Object.keys(fileUrls).length === 0) return null
  return (
    <ul className="enclosures" aria-label="Attachments">
      {attachments.map((attachment, index) => (
        <li key={index} className="chip">
          {attachment.picture === undefined ? (
            <Icon name="clip" />
          ) : (
            <img className="thumbnail small" src={attachment.picture} alt="" />
          )}
          {attachment.name} {attachment.bytes !== undefined && <small>{formatBytes(attachment.bytes)}</small>}
          <IconButton
            icon="close"
            label={`Remove ${attachment.name}`}
            onClick={() => onDraft({ ...draft, attachments: attachments.toSpliced(index, 1) })}
          />
        </li>
      ))}
      {Object.entries(fileUrls).map(([name, url]) => (
        <li key={name} className="chip" title={url}>
          <Icon name="link" /> {name}
          <IconButton
            icon="close"
            label={`Remove ${name}`}
            onClick={() => {
              const { [name]: _, ...rest } = fileUrls
              onDraft({ ...draft, fileUrls: rest })
            }}
          />
        </li>
      ))}
    </ul>
  )
}
