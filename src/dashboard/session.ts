import { fromBase64Url, toBase64Url, utf8 } from '../core/bytes.ts'
import { lengthPrefixed, type Vault } from '../core/vault.ts'

/** Which secret opened it. */
export type ViewerRole = 'viewer' | 'operator'

export interface Session {
  readonly role: ViewerRole
  readonly untilMs: number
}

const VERSION = 'v1'
const PURPOSE = 'monitoring session'
export const SESSION_MS = 12 * 3_600_000
const SHAPE = /^v1\.(viewer|operator)\.(\d{1,15})\.([\w-]{43})$/

/**
 * Sessions that no store remembers: what the cookie says is signed. The secret that opened it is signed with it, so a
 * secret that is replaced ends all of its sessions.
 */
export class ViewerSessions {
  readonly #vault: Vault
  readonly #secrets: Readonly<Record<ViewerRole, string | undefined>>

  /** @param secrets that open the page now */
  constructor(vault: Vault, secrets: Readonly<Record<ViewerRole, string | undefined>>) {
    this.#vault = vault
    this.#secrets = secrets
  }

  /** @returns what the cookie is to hold */
  async open(role: ViewerRole, nowMs: number): Promise<string> {
    const untilMs = nowMs + SESSION_MS
    const mac = await crypto.subtle.sign('HMAC', await this.#key(), this.#signed(role, untilMs))
    return `${VERSION}.${role}.${untilMs}.${toBase64Url(new Uint8Array(mac))}`
  }

  /** @returns undefined for what was not given here, or has ended */
  async read(cookie: string, nowMs: number): Promise<Session | undefined> {
    const [, role, until, mac = ''] = SHAPE.exec(cookie) ?? []
    if (role !== 'viewer' && role !== 'operator') return undefined
    const untilMs = Number(until)
    // Longer than any that is given: its clock was wrong, or is.
    if (!this.#secrets[role] || untilMs <= nowMs || untilMs > nowMs + SESSION_MS) return undefined
    const given = bytesOf(mac)
    // `verify` takes the same time for every wrong signature.
    const isOurs =
      given && (await crypto.subtle.verify('HMAC', await this.#key(), given, this.#signed(role, untilMs)))
    return isOurs ? { role, untilMs } : undefined
  }

  #signed(role: ViewerRole, untilMs: number): Uint8Array<ArrayBuffer> {
    return utf8(lengthPrefixed([VERSION, role, String(untilMs), this.#secrets[role] ?? '']))
  }

  #key(): Promise<CryptoKey> {
    return this.#vault.macKey(PURPOSE)
  }
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return fromBase64Url(text)
  } catch {
    return undefined
  }
}
