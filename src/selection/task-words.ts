/**
 * Words that speak of one kind of work, by their first letters, in English, German, Spanish and French. Written
 * from general knowledge; what each kind counts for is learnt (task-weights.ts).
 */
const KINDS = {
  // Tests, their tools and their parts.
  test: `test tests testin tested tester testen teste testet testfa testda testca testpl testbe testco testab tdd
    unit pytest jest vitest mocha junit rspec cypres playwr seleni xunit nunit phpuni xctest unitte doctes testng
    mock mocks mockit mockin stub stubs fixtur assert covera abdeck e2e regres fuzz fuzzin spec specs scenar qa
    prueba gherki hypoth k6 locust supert testli flaky snapsh verify verifi smoke testsu minite benchm`,
  // Text about code, for people.
  doc: `docume dokume doc docs doku docstr jsdoc tsdoc javado phpdoc doxyge godoc rustdo kdoc docblo sphinx readme
    changelog changelogs releas commen kommen coment manual manuel handbu handbo guide guides guia leitfa wiki
    tutori onboar faq glossa runboo openap swagge annota refere descri beschr overvi adr postmo contri notes
    instru anleit instruc mkdocs docusa redact rediga redige`,
  // Another form for code that is there.
  ref: `refact refakt rename renomm umbene benenn renamb extrac extrai simpli verein clean cleane cleanu limpia nettoi
    aufrau aufger raum tidy restru umstru reorga decoup entkop desaco dedupe dedupl duplic duplik dry readab lisibl
    lesbar legibl idioma modern rewrit rework reecri umschr reescr split inline consol unify decomp zerleg messy ugly
    hassli legacy nested nestin flatte redund repeti wieder migrat conver convie transf upgrad swap replac ersetz
    rempla reempl shorte polish improv untang factor behavi verhal compor unchan mainta spaghe smell smells modula
    encaps separa elimin entfer remove move moved merge break change changi cambia cambie turn reduce
    auslag teile divide concis consis cohesi coupli smalle clever cleare restyl`,
  // Something new.
  make: `write create implem build genera make add code progra develo need produc give script schrei erstel baue
    bau mach fuge erganz crea creer escrib haz hazme genere ecris cree ajoute anade fais coder extend fix comple
    finish support set want provid draft prepar design necesi brauch`,
  // Wanting to know.
  ask: `explai erklar explic expliq differ unters differe compar recomm empfie recomi sugges tell mean meanin bedeut
    signif opinio think unders verste verstehe curiou worth better pros cons advice consei aconse should why warum
    pourqu what whats sirve`,
  // The things that code is made of.
  thing: `functi funkti funcio foncti method methode metodo class klasse clase classe compon kompon endpoi api query
    querie abfrag consul requet regex app apps module modul form formul page websit websei server bot game spiel
    juego jeu client servic handle schema docker workfl manife comman befehl comman macro plugin extens librar
    biblio decora struct interf type types hook cli parser algori variab loop array string object dict queue
    stack tree sort quicks search binary button python javasc typesc java rust golang haskel kotlin swift ruby php
    perl lua scala elixir ocaml matlab powers sql mysql postgr sqlite prisma bash shell html css react vue angula
    svelte node nodejs django flask fastap spring rails larave pytorc tensor numpy pandas datafr git github nginx
    terraf ansibl helm kubern k8s aws lambda redis graphq websoc oauth jwt json yaml xml csv backen fronte databa
    datenb migrat trigge stored proced makefi cron awk sed jq regexp skript codigo coding snippe webhook`,
  // What is there already.
  this: `this these diese dieser dieses diesen dieser este esta estos ce cette cet ces follow folgen siguie suivan
    below here hier above current existi our my mein meine mi mon unser`,
  // Questions begin so.
  opener: `what whats why how when who whos which where is are does do did can should would was warum wieso wie wann
    wer welche wo que cual como cuando quien por quoi quel quelle pourqu est qui combie`,
} as const

export type Kind = keyof typeof KINDS

/** Letters of a word that are looked at: enough to tell words apart, few enough to forgive their endings. */
const STEM = 6

export interface Word {
  readonly stem: string
  readonly kind: Kind | undefined
  /** Whether questions begin so. */
  readonly isOpener: boolean
}

const kinds = new Map<string, Kind>()
const openers = new Set(KINDS.opener.split(/\s+/))
for (const kind of ['this', 'thing', 'ask', 'make', 'ref', 'doc', 'test'] as const) {
  for (const start of KINDS[kind].split(/\s+/)) kinds.set(start, kind)
}

const MAX_SEEN = 5_000
/** A longer one would be a view into its text, and keep all of it alive. */
const MAX_SEEN_LENGTH = 12
/** Words as they were met: people use the same few again and again, and finding one costs a third of reading it anew. */
const seen = new Map<string, Word>()

export function wordOf(text: string): Word {
  const known = seen.get(text)
  if (known) return known
  const word = read(text)
  if (text.length > MAX_SEEN_LENGTH) return word
  if (seen.size >= MAX_SEEN) seen.clear()
  seen.set(text, word)
  return word
}

function read(word: string): Word {
  const stem = word.length > STEM ? word.slice(0, STEM) : word
  // The whole word goes before its beginning: a changelog is no change.
  return { stem, kind: kinds.get(word) ?? kinds.get(stem), isOpener: openers.has(stem) }
}
