interface TrustedTypesWindow {
  readonly trustedTypes?: {
    createPolicy(name: string, rules: { createHTML: (text: string) => string | null }): unknown;
  };
}

/**
 * No text becomes markup on this page. The one thing let through is nothing: libraries that draw on a canvas empty
 * their element by assigning the empty text.
 */
export function forbidMarkup(): void {
  (window as TrustedTypesWindow).trustedTypes?.createPolicy('default', {
    createHTML: (text) => (text === '' ? '' : null),
  });
}
