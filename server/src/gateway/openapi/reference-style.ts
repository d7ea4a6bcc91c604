export const referenceStyle = `:root {
  color-scheme: light dark;
  --ink: light-dark(#1c2330, #e4e8ef);
  --quiet: light-dark(#5b6577, #98a2b3);
  --ground: light-dark(#ffffff, #12161d);
  --raised: light-dark(#f4f6f9, #1a2029);
  --line: light-dark(#d9dee6, #2c3542);
  --accent: light-dark(#0b5cad, #7db8f5);
}
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); }
header { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center;
  padding: 10px 20px; background: var(--raised); border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 18px; }
.search { flex: 1 1 240px; display: flex; gap: 8px; align-items: center; }
input, select, button { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line); border-radius: 6px; }
input, select { padding: 4px 8px; }
.search input { flex: 1; min-width: 0; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.columns { display: grid; grid-template-columns: 264px minmax(0, 1fr); }
nav { position: sticky; top: 53px; align-self: start; max-height: calc(100vh - 53px); overflow: auto; padding: 16px 8px 40px 20px; }
nav a { display: flex; justify-content: space-between; gap: 8px; overflow-wrap: anywhere; padding: 2px 8px; border-radius: 6px; text-decoration: none; color: var(--ink); }
nav a:hover { background: var(--raised); }
nav span, .quiet { color: var(--quiet); }
main { padding: 16px 20px 80px; max-width: 1000px; }
section h2 { margin: 24px 0 8px; font-size: 16px; scroll-margin-top: 64px; }
article { border: 1px solid var(--line); border-radius: 8px; margin: 6px 0; scroll-margin-top: 64px; }
.head { display: grid; grid-template-columns: 64px minmax(0, 1fr) auto; gap: 10px; width: 100%; padding: 8px 12px; text-align: left;
  border: 0; background: none; cursor: pointer; align-items: baseline; }
.head:hover { background: var(--raised); }
.verb { font: 600 12px ui-monospace, monospace; }
.get { color: light-dark(#0a6b3d, #6fd3a0); } .post { color: light-dark(#0b5cad, #7db8f5); }
.patch, .put { color: light-dark(#8a5a00, #e5b567); } .delete { color: light-dark(#b3261e, #f2938c); }
code, pre, .path { font: 13px/1.45 ui-monospace, monospace; }
.path { overflow-wrap: anywhere; }
.body { padding: 4px 16px 16px; border-top: 1px solid var(--line); }
.body h3 { margin: 16px 0 6px; font-size: 14px; }
.text { white-space: pre-line; }
.fields { margin: 0; padding-left: 16px; border-left: 1px solid var(--line); list-style: none; }
.fields li { padding: 2px 0; }
.fields button { border: 0; background: none; padding: 0; color: var(--accent); cursor: pointer; }
pre { overflow: auto; padding: 12px; background: var(--raised); border-radius: 6px; }
.copy { padding: 2px 10px; cursor: pointer; }
@media (max-width: 720px) {
  .columns { grid-template-columns: minmax(0, 1fr); }
  nav { position: static; max-height: 180px; border-bottom: 1px solid var(--line); }
  .head { grid-template-columns: 56px minmax(0, 1fr); }
  .head .name { grid-column: 2; }
}
`;
