package admin

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// TokenFile is the token's file in the data folder.
const TokenFile = "admin.token"

// minToken is the shortest taken, in characters: what an operator makes up is
// not to be guessed.
const minToken = 16

// Token is the admin token: given (from BIRDWIRE_ADMIN_TOKEN) where it is not
// "", else the one in the data folder, made there at the first start with
// 256 bits from random, readable by its owner alone.
func Token(data, given string, random io.Reader) (string, error) {
	if given != "" {
		if len(given) < minToken {
			return "", fmt.Errorf("admin token: BIRDWIRE_ADMIN_TOKEN is shorter than %d characters; give a longer one or unset it to have one made", minToken)
		}
		return given, nil
	}
	file := filepath.Join(data, TokenFile)
	token, err := readToken(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("admin token: read randomness: %w", err)
	}
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	if err := writeToken(file, token); err != nil {
		return "", fmt.Errorf("admin token: %w", err)
	}
	return token, nil
}

func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("admin token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < minToken {
		return "", fmt.Errorf("admin token: %s holds less than %d characters; delete it to have a token made", file, minToken)
	}
	return token, nil
}

// writeToken writes another file and renames it: a crash leaves no half token. The data
// folder has one process.
func writeToken(file, token string) error {
	unfinished, err := os.CreateTemp(filepath.Dir(file), TokenFile+".*") // 0600
	if err != nil {
		return err
	}
	_, err = unfinished.WriteString(token + "\n")
	err = errors.Join(err, unfinished.Sync(), unfinished.Close())
	if err == nil {
		err = os.Rename(unfinished.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(unfinished.Name()))
	}
	return nil
}
