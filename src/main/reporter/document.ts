// The PDF: sections in order, fonts embedded, nothing of the clock in it, so that equal content gives equal bytes.
import pdfmake from 'pdfmake';
import type { Content, TDocumentDefinitions } from 'pdfmake/interfaces.js';
import type { ReportContent } from '../../shared/contract/reportContent.ts';
import { confusionSection } from './confusion.ts';
import { curvesSection } from './curves.ts';
import { openFonts } from './fonts.ts';
import { makeAllPrintable, requireGlyphs } from './glyphs.ts';
import { ink, styles } from './look.ts';
import { provenanceSection } from './provenance.ts';
import { differencesSection, publishedSection } from './settings.ts';
import { barsSection, figuresSection, titleBlock } from './summary.ts';

/** The bytes of the PDF. */
export async function layOutDocument(given: ReportContent): Promise<Uint8Array> {
  const fonts = openFonts();
  const content = makeAllPrintable(given, fonts.coverage);
  const sections = [
    titleBlock(content),
    figuresSection(content),
    barsSection(content),
    differencesSection(content),
    curvesSection(content),
    confusionSection(content),
    publishedSection(content),
    provenanceSection(content, JSON.stringify(content) !== JSON.stringify(given)),
  ].flat();
  requireGlyphs(collectTexts(sections), fonts.coverage);
  pdfmake.setFonts(fonts.dictionary);
  pdfmake.setUrlAccessPolicy(() => false);
  pdfmake.setLocalAccessPolicy((path) => fonts.files.includes(path));
  return new Uint8Array(await pdfmake.createPdf(define(content, sections)).getBuffer());
}

function define({ title, asOf }: ReportContent, sections: Content[]): TDocumentDefinitions {
  const moment = new Date(asOf);
  return {
    pageSize: 'A4',
    pageMargins: [40, 42, 40, 46],
    info: { title, creator: 'Transfer Lab', producer: 'Transfer Lab', creationDate: moment, modDate: moment },
    language: 'en',
    displayTitle: true,
    defaultStyle: { font: 'Roboto', fontSize: 9, color: ink.text, lineHeight: 1.15 },
    styles,
    footer: (page, pages) => ({
      columns: [
        { text: shorten(title), style: 'head' },
        { text: `${page} of ${pages}`, style: 'head', alignment: 'right', width: 60 },
      ],
      margin: [40, 16, 40, 0],
    }),
    pageBreakBefore: ({ headlineLevel: room, startPosition }) => room !== undefined && startPosition.verticalRatio > 1 - room / 100,
    content: sections,
  };
}

function shorten(title: string): string {
  return title.length <= 90 ? title : `${title.slice(0, 89)}…`;
}

/** All texts of the definition, those inside charts too. */
function* collectTexts(node: unknown): Generator<string> {
  if (Array.isArray(node)) {
    for (const part of node) yield* collectTexts(part);
    return;
  }
  if (typeof node === 'string') {
    yield node;
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  for (const [key, part] of Object.entries(node)) {
    if (key === 'text' || key === 'stack' || key === 'columns' || key === 'table' || key === 'body') yield* collectTexts(part);
    if (key === 'svg' && typeof part === 'string') yield* svgTexts(part);
  }
}

function svgTexts(svg: string): string[] {
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return Array.from(svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g), ([, inner = '']) =>
    inner.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? ''),
  );
}
