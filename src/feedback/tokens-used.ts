import type { OutboxRecord, Parcel } from './outbox.ts'

/** More than any request can use: a provider that tells more is not believed. */
const MAX_TOKENS = 100_000_000

/** What a settled request's calls used, all together; undefined where that was not told of all that may be billed. */
export function tokensOf({ text }: Parcel): number | undefined {
  const record = JSON.parse(text) as OutboxRecord
  if (record.kind !== 'prediction') return undefined
  let tokens = 0
  for (const { mayBeBilled, usage } of record.calls ?? []) {
    if (!mayBeBilled) continue
    if (!usage) return undefined
    tokens += usage.inputTokens + usage.outputTokens
  }
  return tokens >= 0 && tokens <= MAX_TOKENS ? Math.ceil(tokens) : undefined
}
