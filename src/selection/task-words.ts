/**
 * Words that speak of one kind of work, by their first letters, in English, German, Spanish and French. Written
 * from general knowledge; what each kind counts for is learnt (task-weights.ts).
 */
const KINDS = {
  // Tests, their tools and their parts.
  test: `test tests testin tested tester testen teste testet testfa testda testca testpl testbe testco testab tdd
    unit pytest jest vitest mocha junit rspec cypres playwr seleni xunit nunit phpuni xctest unitte doctes testng
    mock mocks mockit mockin stub stubs fixtur assert covera abdeck e2e regres fuzz fuzzin spec specs scenar qa
    prueba gherki hypoth k6 locust supert testli flaky snapsh verify verifi smoke`,
  // Text about code, for people.
  doc: `docume dokume doc docs doku docstr jsdoc tsdoc javado phpdoc doxyge godoc rustdo kdoc docblo sphinx readme
    change releas commen kommen coment manual manuel handbu handbo guide guia leitfa wiki tutori onboar faq glossa
    runboo openap swagge annota refere descri beschr overvi adr postmo contri notes`,
  // Another form for code that is there.
  ref: `refact refakt rename renomm umbene renamb extrac extrai simpli verein clean cleane cleanu limpia nettoi aufrau
    aufger tidy restru umstru reorga decoup dedupe dedupl duplic duplik dry readab lisibl lesbar idioma modern
    rewrit reecri umschr reescr split inline consol unify decomp messy ugly hassli legacy nested nestin flatte
    redund repeti migrat conver shorte shorte polish improv untang factor behavi verhal compor unchan maintai
    spaghe smell smells modula`,
  // Something new.
  make: `write create implem build genera make add code progra develo need produc give script schrei erstel baue
    bau mach fuge erganz crea creer escrib haz hazme genere ecris cree ajoute anade fais coder extend fix comple
    finish support set want`,
  // Wanting to know.
  ask: `explai erklar explic expliq differ unters differe compar recomm empfie recomi sugges tell mean meanin bedeut
    signif opinio think unders verste verstehe curiou worth better pros cons advice consei aconse should why warum
    pourqu what whats`,
  // The things that code is made of.
  thing: `functi funkti funcio foncti class klasse clase classe compon kompon endpoi api query abfrag consul requet
    regex app method hook cli parser algori module form formul page websit server bot game juego jeu client
    servic handle schema docker workfl manife comman macro plugin extens librar decora struct type types python
    javasc typesc java rust golang sql bash html css react`,
  // What is there already.
  this: `this these diese dieser dieses diesen este esta estos ce cette cet follow folgen siguie suivan below here
    hier above current existi our`,
  // Questions begin so.
  opener: `what whats why how when who whos which where is are does do did can should would was warum wieso wie wann
    wer welche wo que cual como cuando quien por quoi quel quelle pourqu est qui combie`,
} as const

export type Kind = keyof typeof KINDS

/** Letters of a word that are looked at: enough to tell words apart, few enough to forgive their endings. */
const STEM = 6

export const stemOf = (word: string): string => (word.length > STEM ? word.slice(0, STEM) : word)

const kindOfStem = new Map<string, Kind>()
const openers = new Set(KINDS.opener.split(/\s+/))
for (const kind of ['this', 'thing', 'ask', 'make', 'ref', 'doc', 'test'] as const) {
  for (const stem of KINDS[kind].split(/\s+/)) kindOfStem.set(stemOf(stem), kind)
}

export const kindOf = (stem: string): Kind | undefined => kindOfStem.get(stem)

export const isOpener = (stem: string): boolean => openers.has(stem)
