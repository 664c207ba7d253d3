/** The part of a Workers KV namespace that is used here. */
export interface KvStore {
  get(key: string, type: 'text'): Promise<string | null>
  /** @param options `expirationTtl` in seconds; KV refuses less than 60 */
  put(key: string, value: string, options: { expirationTtl: number }): Promise<void>
  delete(key: string): Promise<void>
}
