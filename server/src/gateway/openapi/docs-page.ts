/** The reference page. Script and style are files of their own, so that a strict content policy can stand. */
export const referencePage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fovea API reference</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/reference.css">
<script src="/docs/reference.js" defer></script>
</head>
<body>
<header>
<h1>Fovea API</h1>
<label class="search">Search <input id="search" type="search" placeholder="PostInputs, /models, scopes…" autocomplete="off"></label>
<label>Names <select id="names"><option value="snake">snake_case</option><option value="camel">camelCase</option></select></label>
<a href="/v2/openapi.json">openapi.json</a>
</header>
<div class="columns">
<nav id="tags" aria-label="Resources"></nav>
<main id="main" aria-live="polite"><p class="quiet" id="state">Loading the description…</p></main>
</div>
<noscript><p>This page needs scripts of this server. The description itself is at <a href="/v2/openapi.json">/v2/openapi.json</a>.</p></noscript>
</body>
</html>
`;
