loadDocument().then((spec) =>
  Redoc.init(
    spec,
    { downloadUrls: [{ title: 'openapi.json', url: 'openapi.json' }], sanitize: true },
    document.getElementById('page'),
  ),
)
