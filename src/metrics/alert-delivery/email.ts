import type { Notice } from '../alert-notices.ts'
import { isAddress, type Line, type LineIo, post } from './channel.ts'

const API_URL = 'https://api.resend.com'

export interface EmailSettings {
  readonly apiKey: string | undefined
  readonly baseUrl: string | undefined
  readonly from: string | undefined
  /** Several separated by commas. */
  readonly to: string | undefined
  /** What this gateway is called. */
  readonly source: string
}

/** Resend's API over HTTP: a Worker has no SMTP. What is sent twice under one idempotency key is one mail. */
export function emailLine(io: LineIo, { apiKey, baseUrl, from, to, source }: EmailSettings): Line {
  if (!apiKey) return { off: 'RESEND_API_KEY is not set.' }
  const recipients = (to ?? '').split(',').flatMap((address) => address.trim() || [])
  if (!from || recipients.length === 0) return { off: 'ALERT_EMAIL_FROM or ALERT_EMAIL_TO is not set.' }
  const base = baseUrl || API_URL
  if (!isAddress(base)) return { off: 'RESEND_BASE_URL is not an https address.' }
  return {
    send: (notice) =>
      post(io, {
        name: 'The mail service',
        setting: 'RESEND_API_KEY, ALERT_EMAIL_FROM and ALERT_EMAIL_TO',
        url: `${base.replace(/\/+$/, '')}/emails`,
        headers: {
          authorization: `Bearer ${apiKey}`,
          'idempotency-key': `${source} ${notice.kind} ${notice.id}`,
        },
        body: { from, to: recipients, subject: subjectOf(notice), text: textOf(notice, source) },
      }),
  }
}

const subjectOf = ({ kind, rule, severity, summary }: Notice): string =>
  `[${kind === 'budget' ? severity : kind}] ${rule}: ${summary}`

const textOf = ({ summary, details, severity, labels, atMs }: Notice, source: string): string =>
  [
    `${summary}.`,
    details,
    `\nGateway: ${source}\nSeverity: ${severity}${labels && `\nAbout: ${labels}`}\nTime: ${new Date(atMs).toISOString()}`,
  ].join('\n')
