/** A function that masks known secrets in any text that leaves the process. Values shorter than 4 characters are no secrets. */
export function createRedactor(secrets: readonly (string | null | undefined)[]): (text: string) => string {
  const known = [
    ...new Set(secrets.filter((secret): secret is string => typeof secret === 'string' && secret.length >= 4)),
  ]
  known.sort((a, b) => b.length - a.length) // a secret that contains another goes first
  return (text) =>
    known.reduce((masked, secret) => (masked.includes(secret) ? masked.replaceAll(secret, '[redacted]') : masked), text)
}
