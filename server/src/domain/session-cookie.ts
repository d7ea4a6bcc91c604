type HeaderOf = (name: string) => string | undefined;

export const sessionHeader = 'x-clarifai-session-token';
/** Named as the hosted service names it. */
export const sessionCookie = 'x_clarifai_session_token';

/** The token of the session cookie, for what a browser loads by itself. Never enough to change anything. */
export function sessionTokenIn(header: HeaderOf): string | undefined {
  const pair = (header('cookie') ?? '')
    .split(';')
    .map((one) => one.trim())
    .find((one) => one.startsWith(`${sessionCookie}=`));
  return pair?.slice(sessionCookie.length + 1) || undefined;
}

/**
 * Headers in which the session cookie stands in where there is no other credential: for pictures in a page and for
 * downloads, which carry no headers of ours. Only for what is read.
 */
export const withSessionCookie =
  (header: HeaderOf): HeaderOf =>
  (name) => {
    const given = header(name);
    if (given !== undefined || name !== sessionHeader || header('authorization')) return given;
    return sessionTokenIn(header);
  };
