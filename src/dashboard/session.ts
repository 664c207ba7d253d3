import { toBase64Url, utf8 } from '../core/bytes.ts'
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
    return `${VERSION}.${role}.${untilMs}.${await this.#mac(role, untilMs)}`
  }

  /** @returns undefined for what was not given here, or has ended */
  async read(cookie: string, nowMs: number): Promise<Session | undefined> {
    const [, role, until, mac = ''] = SHAPE.exec(cookie) ?? []
    if (role !== 'viewer' && role !== 'operator') return undefined
    const untilMs = Number(until)
    // Longer than any that is given: a clock was wrong, or is.
    if (!this.#secrets[role] || untilMs <= nowMs || untilMs > nowMs + SESSION_MS) return undefined
    return isSame(await this.#mac(role, untilMs), mac) ? { role, untilMs } : undefined
  }

  async #mac(role: ViewerRole, untilMs: number): Promise<string> {
    const signed = utf8(lengthPrefixed([VERSION, role, String(untilMs), this.#secrets[role] ?? '']))
    return toBase64Url(
      new Uint8Array(await crypto.subtle.sign('HMAC', await this.#vault.macKey(PURPOSE), signed)),
    )
  }
}

/** In a time that does not tell where they differ. */
function isSame(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}
