import type { AdminClient } from './admin-client.ts'

/** A model as the gateway describes it; what is not the tenant's own comes without the optional fields. */
export interface ModelView {
  readonly id: string
  readonly owned: boolean
  readonly model_id: string
  readonly model_name: string
  readonly endpoint_url?: string | null
  readonly wire_format?: string
  readonly is_active: boolean
  readonly is_public: boolean
  readonly config: Readonly<Record<string, unknown>>
  readonly api_key_hint?: string | null
  readonly revision?: number
}

export interface ListedView {
  readonly id: string
  readonly context_tokens: number | null
}

export interface TestReport {
  readonly ok: boolean
  readonly latency_ms: number
  readonly status_class: string
  readonly tip: string
  readonly discovered: readonly ListedView[]
}

export interface RotationReport {
  readonly rewrapped: number
  readonly unchanged: number
  readonly failed: readonly { readonly table: string; readonly id: string }[]
  readonly cursor: string | null
}

/** One tenant's models over HTTP, with the operator's token. */
export class ModelsClient {
  readonly #admin: AdminClient
  readonly #tenant: string

  constructor(admin: AdminClient, tenant: string) {
    this.#admin = admin
    this.#tenant = tenant
  }

  async list(): Promise<readonly ModelView[]> {
    return (await this.#call<{ data: ModelView[] }>('GET', '')).data
  }

  show(id: string): Promise<ModelView> {
    return this.#call('GET', `/${encodeURIComponent(id)}`)
  }

  add(body: object): Promise<ModelView & { readonly discovered: readonly ListedView[] }> {
    return this.#call('POST', '', body)
  }

  change(id: string, body: object): Promise<ModelView> {
    return this.#call('PATCH', `/${encodeURIComponent(id)}`, body)
  }

  remove(id: string): Promise<{ readonly model_id: string; readonly deleted: boolean }> {
    return this.#call('DELETE', `/${encodeURIComponent(id)}`)
  }

  test(id: string): Promise<TestReport> {
    return this.#call('POST', `/${encodeURIComponent(id)}/test`)
  }

  rotate(cursor: string | null | undefined): Promise<RotationReport> {
    return this.#admin.request('POST', '/api/admin/rotate-keys', cursor ? { cursor } : {})
  }

  #call<T>(method: string, path: string, body?: object): Promise<T> {
    const query = `?tenant=${encodeURIComponent(this.#tenant)}`
    return this.#admin.request(method, `/api/models/custom${path}${query}`, body)
  }
}
