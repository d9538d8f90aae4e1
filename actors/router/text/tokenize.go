package text

// Tokenize replaces the buffer's content with the tokens and entities of s.
func Tokenize(s string, b *Buffer) { b.reset() }

// Fold is s as tokens compare it: composed (NFC) and without case (Unicode
// simple case folding). Fold(Fold(s)) is Fold(s).
func Fold(s string) string { return s }
