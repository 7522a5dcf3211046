import { attachCode, attachParts, sourceNote } from '../files/attach.ts'
import type { FileDesk } from '../files/attachments.ts'
import type { InputItem } from '../wire/message.ts'
import { createRedactor } from '../wire/redact.ts'
import type { RunPlan } from './plan.ts'

/** The files a request names, in the wire's own terms. */
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
  desk: FileDesk,
  signal: AbortSignal,
): Promise<RunPlan> {
  const { models, agency, recipient, secrets } = plan
  const store = models.files(agency.role(recipient).agent.model, recipient)
  const order = { fileIds: fileIds ?? [], fileUrls: fileUrls ?? {}, store, mask: createRedactor(() => secrets), signal }
  const { named, fetched } = await desk.prepare(order)
  const files = [...named, ...fetched]
  const ids = Object.fromEntries(Object.keys(order.fileUrls).map((name, index) => [name, fetched[index]?.id as string]))
  const told = { ...plan, fileIdsMap: fileUrls == null ? undefined : ids }
  if (files.length === 0) return told
  const note = fetched.length === 0 ? [] : [sourceNote(order.fileUrls, ids)]
  // A message that is nothing but its files has no item yet.
  const input: InputItem[] = plan.input.length === 0 ? [{ role: 'user', content: '' }] : plan.input
  const last = input.at(-1) as InputItem
  if (last.role !== 'user') {
    desk.warn("Files were not attached: the last item of the message is not the user's.")
    return { ...told, input: [...note, ...input] }
  }
  return { ...told, input: [...note, ...input.slice(0, -1), attachParts(last, files)], ...attachCode(files) }
}
