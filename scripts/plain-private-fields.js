import { readFile } from 'node:fs/promises';
import ts from 'typescript';

/**
 * An esbuild plugin that makes the `#private` members of classes plain ones; TypeScript has checked the privacy.
 *
 * V8 takes a field that is written once for a constant, and then whole objects of a session become numbers in the code
 * of a request. But `#field` is first defined as undefined and then written by the constructor: written twice. A plain
 * field comes into being when the constructor writes it (with `useDefineForClassFields` off).
 */
export const plainPrivateFields = {
  name: 'plain-private-fields',
  setup({ onLoad }) {
    onLoad({ filter: /src\/.*\.m?ts$/ }, async ({ path }) => {
      const source = ts.createSourceFile(path, await readFile(path, 'utf8'), ts.ScriptTarget.Latest, true);
      const { transformed } = ts.transform(source, [transformer]);
      return { contents: ts.createPrinter().printFile(transformed[0]), loader: 'ts' };
    });
  },
};

/** @type {ts.TransformerFactory<ts.SourceFile>} */
function transformer(context) {
  const visit = (node) =>
    ts.isPrivateIdentifier(node)
      ? ts.factory.createIdentifier(`$${declaringClass(node)}_${node.text.slice(1)}`)
      : ts.visitEachChild(node, visit, context);
  return (file) => ts.visitNode(file, visit);
}

/** The name of the innermost class around that declares it: a subclass may have the same name for something else. */
function declaringClass(name) {
  for (let node = name.parent; node !== undefined; node = node.parent) {
    if (ts.isClassLike(node) && node.members.some((member) => member.name?.text === name.text)) {
      if (node.name === undefined) throw new Error(`the class that declares ${name.text} needs a name`);
      return node.name.text;
    }
  }
  throw new Error(`no class declares ${name.text}`);
}
