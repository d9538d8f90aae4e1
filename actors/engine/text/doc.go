// Package text cuts text into the tokens that rules, posts and articles are
// compared by. It owns the one tokeniser and the one fold: whatever a rule
// says and whatever a post says pass through the same code, so that they
// cannot disagree. It knows nothing of rules, fields or events.
//
// # Tokens
//
// A token is a run of letters, marks and numbers. Punctuation, symbols,
// separators and controls part tokens: "coca-cola" is coca, cola. Tokens are
// compared folded (see Fold): composed, without case, with diacritics.
//
//   - A Han or kana character is a token by itself, so that a phrase of them
//     is found inside unspaced text.
//   - An emoji is a token: a ZWJ sequence, a flag, a keycap and an emoji with
//     its skin tone are one token each. Variation selectors are dropped.
//   - ©, ®, ™, ‼ and ⁉ part tokens, as the signs they mostly are.
//   - Invisible format characters (soft hyphen, joiners, direction marks) are
//     dropped inside words; the zero-width space parts them.
//
// Rejected: splitting by UAX #29, which keeps "don't" and "3.5" whole where
// the language of rules parts them at every punctuation mark, and which costs
// several times the time.
package text
