/**
 * Script of the reference page. Everything shown is put in as text, never as markup. Plain script: the page
 * loads it as it stands here.
 */
export const referenceScript = String.raw`'use strict';
(() => {
  const byId = (id) => document.getElementById(id);
  const main = byId('main');
  let description;

  /** el('p', { class: 'quiet' }, 'text', child …) */
  function el(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (typeof value === 'function') node.addEventListener(key, value);
      else node.setAttribute(key, value);
    }
    node.append(...children.filter((child) => child !== undefined && child !== ''));
    return node;
  }

  const resolved = (schema) =>
    schema && schema.$ref ? description.components.schemas[schema.$ref.split('/').pop()] : schema || {};

  function typeName(schema) {
    if (schema.$ref) return schema.$ref.split('/').pop();
    if (schema.type === 'array') return 'list of ' + typeName(schema.items);
    if (schema.type === 'object' && schema.additionalProperties && schema.additionalProperties !== true) {
      return 'map of ' + typeName(schema.additionalProperties);
    }
    if (schema.contentEncoding) return 'bytes (base64)';
    return schema.format ? schema.type + ' (' + schema.format + ')' : schema.type || 'any JSON';
  }

  /** The schema that a click may open: of the thing itself or of what a list or map holds. */
  function innerOf(schema) {
    const held = schema.items || (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : schema);
    const inner = resolved(held);
    return inner.properties || inner.enum ? inner : undefined;
  }

  function fieldItem(name, schema, text) {
    const inner = innerOf(schema);
    const item = el('li', {}, el('code', {}, name), ' ');
    if (!inner) item.append(el('span', { class: 'quiet' }, typeName(schema)));
    else {
      const button = el('button', { type: 'button', 'aria-expanded': 'false' }, typeName(schema));
      button.addEventListener('click', () => {
        const open = button.getAttribute('aria-expanded') === 'true';
        button.setAttribute('aria-expanded', String(!open));
        if (open) item.lastChild.remove();
        else item.append(inner.enum ? enumText(inner) : fieldList(inner));
      });
      item.append(button);
    }
    if (text) item.append(el('div', { class: 'quiet text' }, text));
    return item;
  }

  const enumText = (schema) => el('div', { class: 'quiet' }, schema['x-enum-varnames'].join(', '));

  function fieldList(schema) {
    const names = Object.entries(schema.properties || {});
    if (names.length === 0) return el('p', { class: 'quiet' }, 'No fields.');
    return el('ul', { class: 'fields' }, ...names.map(([name, field]) => fieldItem(name, field, field.description)));
  }

  /** A small body to start from: the first fields, two levels deep. */
  function sample(schema, depth) {
    if (schema.default !== undefined) return schema.default;
    const known = resolved(schema);
    if (known.enum) return known.enum[0];
    if (known.type === 'array') return depth > 2 ? [] : [sample(known.items, depth + 1)];
    if (known.properties) {
      const filled = {};
      if (depth > 2) return filled;
      for (const [name, field] of Object.entries(known.properties).slice(0, depth === 0 ? 8 : 3)) {
        if (!/^user_?app_?id$/i.test(name)) filled[name] = sample(field, depth + 1);
      }
      return filled;
    }
    return { string: '', integer: 0, number: 0, boolean: false }[known.type] ?? {};
  }

  function curl(path, verb, operation) {
    const lines = ['curl -X ' + verb.toUpperCase() + " '" + location.origin + path.replace('{user_app_id.user_id}', 'me') + "'"];
    if (operation.security.length > 0) lines.push('  -H "Authorization: Key $FOVEA_PAT"');
    const body = operation.requestBody && operation.requestBody.content['application/json'].schema;
    if (body) {
      lines.push("  -H 'Content-Type: application/json'");
      lines.push("  -d '" + JSON.stringify(sample(body, 0)).replaceAll("'", "'\\''") + "'");
    }
    return lines.join(' \\\n');
  }

  function details(path, verb, operation) {
    const body = el('div', { class: 'body' });
    if (operation.description) body.append(el('p', { class: 'text' }, operation.description));
    const scopes = operation['x-scopes'].length > 0 ? ' Scopes: ' + operation['x-scopes'].join(', ') + '.' : '';
    body.append(el('p', { class: 'quiet' }, 'Sign-in: ' + operation['x-auth'] + '.' + scopes + ' gRPC: ', el('code', {}, operation['x-grpc-path'])));
    if (operation['x-also']) body.append(el('p', { class: 'quiet' }, 'The contract gives this path to ' + operation['x-also'].join(', ') + ' as well.'));
    if (operation.parameters.length > 0) {
      const items = operation.parameters.map((p) => fieldItem(p.name, p.schema, (p.in === 'path' ? 'In the path. ' : '') + (p.description || '')));
      body.append(el('h3', {}, 'Parameters'), el('ul', { class: 'fields' }, ...items));
    }
    if (operation.requestBody) {
      body.append(el('h3', {}, 'Body'), fieldList(resolved(operation.requestBody.content['application/json'].schema)));
    }
    const answer = operation.responses[200] || operation.responses[400];
    const schema = Object.values(answer.content)[0].schema;
    body.append(el('h3', {}, 'Answer'), el('p', { class: 'quiet' }, answer.description), fieldList(resolved(schema)));
    const command = curl(path, verb, operation);
    const copy = el('button', { type: 'button', class: 'copy' }, 'Copy');
    copy.addEventListener('click', () => navigator.clipboard.writeText(command).then(() => { copy.textContent = 'Copied'; }));
    body.append(el('h3', {}, 'Example ', copy), el('pre', {}, command));
    return body;
  }

  function article({ path, verb, operation }) {
    const head = el('button', { type: 'button', class: 'head', 'aria-expanded': 'false' },
      el('span', { class: 'verb ' + verb }, verb.toUpperCase()),
      el('span', { class: 'path' }, path),
      el('span', { class: 'name quiet' }, operation.operationId));
    const box = el('article', { id: operation.operationId }, head);
    head.addEventListener('click', () => {
      const open = head.getAttribute('aria-expanded') === 'true';
      head.setAttribute('aria-expanded', String(!open));
      if (open) box.lastChild.remove();
      else {
        box.append(details(path, verb, operation));
        history.replaceState(null, '', '#' + operation.operationId);
      }
    });
    return box;
  }

  function operations() {
    const found = [];
    for (const [path, verbs] of Object.entries(description.paths)) {
      for (const [verb, operation] of Object.entries(verbs)) found.push({ path, verb, operation });
    }
    return found;
  }

  function matches({ path, verb, operation }, words) {
    const text = [verb, path, operation.operationId, operation.summary, ...operation['x-scopes']].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  }

  function show() {
    const words = byId('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const groups = new Map();
    for (const one of operations()) {
      if (!matches(one, words)) continue;
      const tag = one.operation.tags[0];
      groups.set(tag, [...(groups.get(tag) || []), one]);
    }
    const tags = [...groups.keys()].sort();
    const count = [...groups.values()].reduce((sum, group) => sum + group.length, 0);
    byId('tags').replaceChildren(...tags.map((tag) =>
      el('a', { href: '#tag-' + tag }, tag, el('span', {}, String(groups.get(tag).length)))));
    main.replaceChildren(
      el('p', { class: 'quiet text' }, words.length > 0 ? count + ' operations found.' : description.info.description),
      ...tags.map((tag) => el('section', {}, el('h2', { id: 'tag-' + tag }, tag), ...groups.get(tag).map(article))));
  }

  function openLinked() {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    target.scrollIntoView();
    const head = target.querySelector('.head[aria-expanded="false"]');
    if (head) head.click();
  }

  async function load() {
    const answer = await fetch('/v2/openapi.json?names=' + byId('names').value);
    if (!answer.ok) throw new Error('HTTP ' + answer.status);
    description = await answer.json();
    show();
    openLinked();
  }

  const start = () => load().catch((trouble) => {
    main.replaceChildren(el('p', {}, 'The description could not be loaded: ' + trouble.message + '. '),
      el('button', { type: 'button', class: 'copy', click: start }, 'Try again'));
  });

  let typing;
  byId('search').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => description && show(), 120);
  });
  byId('names').addEventListener('change', start);
  addEventListener('hashchange', openLinked);
  addEventListener('keydown', (event) => {
    if (event.key === '/' && !/INPUT|SELECT/.test(document.activeElement.tagName)) {
      event.preventDefault();
      byId('search').focus();
    }
  });
  start();
})();
`;
