package store

import (
	"fmt"
	"slices"
	"strings"
)

// CheckKey is nil for a control key: dot-separated tokens of [A-Za-z0-9_-].
func CheckKey(key string) error {
	if len(key) > maxKey || !validTokens(key) {
		return fmt.Errorf("control key %q: want dot-separated tokens of A-Z a-z 0-9 _ -, at most %d bytes", key, maxKey)
	}
	return nil
}

// CheckPrefix is nil for a prefix of List and Watch: "" or tokens and a dot.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if !strings.HasSuffix(prefix, ".") || CheckKey(prefix[:len(prefix)-1]) != nil {
		return fmt.Errorf("control prefix %q: want \"\" or dot-separated tokens that end with a dot", prefix)
	}
	return nil
}

// CheckPrefixes is nil for the prefixes of one List: each as CheckPrefix, and
// none that begins with another.
func CheckPrefixes(prefixes []string) error {
	for i, prefix := range prefixes {
		if err := CheckPrefix(prefix); err != nil {
			return err
		}
		for k, other := range prefixes {
			if k != i && strings.HasPrefix(prefix, other) {
				return fmt.Errorf("control prefixes %q and %q: want none that begins with another", other, prefix)
			}
		}
	}
	return nil
}

// Under says whether the key begins with one of the prefixes.
func Under(prefixes []string, key string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

const maxKey = 512

func validTokens(key string) bool {
	last := byte('.')
	for i := range len(key) {
		c := key[i]
		switch {
		case c == '.' && last == '.':
			return false
		case c == '.', c == '_', c == '-', '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z':
		default:
			return false
		}
		last = c
	}
	return last != '.'
}
