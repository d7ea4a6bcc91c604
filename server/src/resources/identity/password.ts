/** Bounds of a password in characters. Long ones are welcome (NIST SP 800-63B section 5.1.1.2). */
const lengthMin = 8;
const lengthMax = 128;

/** What is wrong with a password, in the contract's terms; undefined when nothing is. */
export function passwordViolations(plaintext: string, userId: string) {
  const lower = plaintext.toLowerCase();
  const found = {
    minimumLength: plaintext.length < lengthMin,
    maximumLength: plaintext.length > lengthMax,
    upperCaseNeeded: !/\p{Lu}/u.test(plaintext),
    lowerCaseNeeded: !/\p{Ll}/u.test(plaintext),
    numericNeeded: !/\p{N}/u.test(plaintext),
    nonAlphanumericNeeded: !/[^\p{L}\p{N}]/u.test(plaintext),
    excludeNames: userId.length > 2 && lower.includes(userId.toLowerCase()),
    noSimplePasswords: /^(.)\1*$/u.test(plaintext) || /(0123|1234|abcd|qwer|password)/i.test(plaintext),
  };
  return Object.values(found).some(Boolean) ? found : undefined;
}
