import { OperatorError } from './operator-error.ts'

export interface KeyListing {
  readonly id: string
  readonly tenant: string
  readonly plan: string
  readonly hint: string
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly last_used_at: string | null
  readonly scopes: readonly string[]
}

/** The gateway's administration over HTTP. Each call throws an OperatorError with the gateway's own advice. */
export class AdminClient {
  readonly #url: string
  readonly #token: string

  constructor(url: string, token: string) {
    this.#url = url
    this.#token = token
  }

  create(
    tenant: string,
    plan?: string,
    expiresInDays?: number,
    scopes?: readonly string[],
  ): Promise<KeyListing & { key: string }> {
    return this.request('POST', '/api/admin/keys', { tenant, plan, expires_in_days: expiresInDays, scopes })
  }

  async list(tenant?: string): Promise<KeyListing[]> {
    const query = tenant === undefined ? '' : `?tenant=${encodeURIComponent(tenant)}`
    return (await this.request<{ data: KeyListing[] }>('GET', `/api/admin/keys${query}`)).data
  }

  /** @param overlapHours how long the old key goes on; 24 when not said */
  rotate(
    id: string,
    overlapHours?: number,
  ): Promise<KeyListing & { key: string; replaces: { id: string; ends_at: string } }> {
    const path = `/api/admin/keys/${encodeURIComponent(id)}/rotate`
    return this.request('POST', path, { overlap_hours: overlapHours })
  }

  revoke(id: string): Promise<{ id: string; revoked_at: string; effective_within_seconds: number }> {
    return this.request('DELETE', `/api/admin/keys/${encodeURIComponent(id)}`)
  }

  /** Any route that the operator's token opens. */
  async request<T>(method: string, path: string, body?: object): Promise<T> {
    return (await (await this.open(method, path, body)).json().catch(() => undefined)) as T
  }

  /** The same for an answer that is to be read bit by bit. */
  async open(method: string, path: string, body?: object): Promise<Response> {
    let response: Response
    try {
      response = await fetch(`${this.#url}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      })
    } catch {
      throw new OperatorError(
        `No gateway answers at ${this.#url}. Start it with npm start, or name another with --url.`,
      )
    }
    if (response.ok) return response
    const answer = (await response.json().catch(() => undefined)) as
      | { error?: { message?: string; tip?: string } }
      | undefined
    const { message = `The gateway answered ${response.status}.`, tip = '' } = answer?.error ?? {}
    throw new OperatorError(`${message} ${tip}`.trim())
  }
}
