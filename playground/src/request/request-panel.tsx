/** The panel with the request settings. */
import { type ReactNode, useId } from 'react'
import { type Parsed, parseClientConfig, parseObject, type Settings } from './settings.ts'

/** Edits the fields that are sent with every message. */
export function RequestPanel({ settings, onChange }: { settings: Settings; onChange: (settings: Settings) => void }) {
  return (
    <div className="request-panel">
      <Field title="Additional instructions" hint="Added to the agents' own instructions, for these requests only.">
        {(id) => (
          <textarea
            id={id}
            rows={3}
            value={settings.additionalInstructions}
            onChange={(event) => onChange({ ...settings, additionalInstructions: event.target.value })}
          />
        )}
      </Field>
      <JsonField
        title="user_context"
        hint="Available to tools. The model does not see it."
        placeholder={'{"customer": "c-17"}'}
        value={settings.userContext}
        parsed={parseObject(settings.userContext)}
        onChange={(userContext) => onChange({ ...settings, userContext })}
      />
      <JsonField
        title="client_config"
        hint="Another model or gateway for these requests. Stored in this tab only and never exported."
        placeholder={'{"model": "gpt-5.4", "base_url": "https://gateway.example.com/v1", "api_key": "..."}'}
        value={settings.clientConfig}
        parsed={parseClientConfig(settings.clientConfig)}
        onChange={(clientConfig) => onChange({ ...settings, clientConfig })}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={settings.nameConversations}
          onChange={(event) => onChange({ ...settings, nameConversations: event.target.checked })}
        />
        Let the model name new conversations
      </label>
    </div>
  )
}

function Field({ title, hint, children }: { title: string; hint: string; children: (id: string) => ReactNode }) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{title}</label>
      <p className="hint">{hint}</p>
      {children(id)}
    </div>
  )
}

interface JsonFieldProps {
  title: string
  hint: string
  placeholder: string
  value: string
  parsed: Parsed
  onChange: (value: string) => void
}

function JsonField({ title, hint, placeholder, value, parsed, onChange }: JsonFieldProps) {
  const problemId = useId()
  return (
    <Field title={title} hint={hint}>
      {(id) => (
        <>
          <textarea
            id={id}
            className="mono"
            rows={5}
            spellCheck={false}
            placeholder={placeholder}
            value={value}
            aria-invalid={!parsed.ok}
            aria-describedby={problemId}
            onChange={(event) => onChange(event.target.value)}
            onBlur={() => parsed.ok && parsed.value && onChange(JSON.stringify(parsed.value, null, 2))}
          />
          <p id={problemId} className="problem" aria-live="polite">
            {parsed.ok ? '' : parsed.problem}
          </p>
        </>
      )}
    </Field>
  )
}
