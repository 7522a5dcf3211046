/** The tool that stands for a server to which its user has given no access: a call of it asks for consent. */
import type { FunctionTool } from '../../tool.ts'
import type { Login } from './login.ts'

export const connectName = ({ label }: Pick<Login, 'label'>) => `connect_${label.replace(/\W/g, '_')}`

/**
 * `connect_<label>`. In a stored run a call waits for the consent, in any other run the model reads the address. Once access was
 * given, the server's own tools take its place.
 */
export const connectTool = (login: Login): FunctionTool =>
  Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'function',
    name: connectName(login),
    description: `Asks the user for access to "${login.label}". Its tools are available only afterwards: call this when you need them.`,
    parameters: { type: 'object', properties: {}, additionalProperties: false },
    strict: false,
    oneCallAtATime: false,
    safeToRetry: true,
    needsApproval: true,
    consent: () => login.ask(),
    check: async () => ({ ok: true, value: {} }),
    run: async () => {
      if ((await login.token()) === undefined) throw new Error(`The user has not given access to "${login.label}".`)
      return `The user has given access to "${login.label}". Its tools are available now.`
    },
  })
