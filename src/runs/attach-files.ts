/** Adds the files of a request to its plan. */
import { attachCode, attachParts, sourceNote } from '../files/attach.ts'
import type { FileDesk } from '../files/attachments.ts'
import type { InputItem } from '../wire/message.ts'
import { createRedactor } from '../wire/redact.ts'
import type { RunPlan } from './plan.ts'

/** The files that a request names. */
export interface NamedFiles {
  fileIds?: readonly string[] | null | undefined
  fileUrls?: { readonly [name: string]: string } | null | undefined
}

export const namesFiles = ({ fileIds, fileUrls }: NamedFiles): boolean =>
  (fileIds != null && fileIds.length > 0) || fileUrls != null

/**
 * The plan with its files: fetched, stored with the run's own provider, and attached to the user's last item.
 * @throws FILE_FAILED; the signal's reason after an abort. Nothing stays stored after either.
 */
export async function attachFiles(
  plan: RunPlan,
  { fileIds, fileUrls }: NamedFiles,
  files: FileDesk,
  signal: AbortSignal,
): Promise<RunPlan> {
  const { models, agency, recipient, secrets } = plan
  const store = models.files(agency.role(recipient).agent.model, recipient)
  const order = { fileIds: fileIds ?? [], fileUrls: fileUrls ?? {}, store, mask: createRedactor(() => secrets), signal }
  const { named, fetched } = await files.prepare(order)
  const attached = [...named, ...fetched]
  const ids = Object.fromEntries(Object.keys(order.fileUrls).map((name, index) => [name, fetched[index]?.id as string]))
  const withIds = { ...plan, fileIdsMap: fileUrls == null ? undefined : ids }
  if (attached.length === 0) return withIds
  const notes = fetched.length === 0 ? [] : [sourceNote(order.fileUrls, ids)]
  // A message that consists of files only has no item yet.
  const input: InputItem[] = plan.input.length === 0 ? [{ role: 'user', content: '' }] : plan.input
  const last = input.at(-1) as InputItem
  if (last.role !== 'user') {
    files.warn("Files were not attached: the last item of the message is not the user's.")
    return { ...withIds, notes, input: [...notes, ...input] }
  }
  return {
    ...withIds,
    notes,
    input: [...notes, ...input.slice(0, -1), attachParts(last, attached)],
    ...attachCode(attached),
  }
}
