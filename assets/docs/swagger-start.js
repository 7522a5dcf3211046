// Beside the page: the document's address is relative, so that the page also works under a prefix.
loadDocument().then((spec) =>
  SwaggerUIBundle({
    spec,
    dom_id: '#page',
    deepLinking: true,
    persistAuthorization: false,
    validatorUrl: null,
  }),
)
