package gossip

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hashicorp/memberlist"
)

func secret(c string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, SecretBytes)))
}

func TestTheSecretFile(t *testing.T) {
	a, b := secret("a"), secret("b")
	for _, c := range []struct {
		file string
		want string // the first letter of each
		bad  string // a part of why not
	}{
		{file: a, want: "a"},
		{file: a + "\n" + b + "\n", want: "ab"},
		{file: "# made by hand\r\n\r\n  " + b + "  \r\n" + a + "\r\n" + b, want: "ba"},
		{file: "", bad: "no line"},
		{file: "# nothing\n", bad: "no line"},
		{file: a + "\nsecret", bad: "line 2"},
		{file: base64.StdEncoding.EncodeToString([]byte("short")), bad: "line 1"},
		{file: strings.Join([]string{a, b, secret("c"), secret("d"), secret("e"), secret("f"), secret("g"), secret("h"), secret("i")}, "\n"), bad: "9 secrets"},
	} {
		secrets, err := parseSecrets([]byte(c.file))
		got := ""
		for _, s := range secrets {
			got += string(s[:1])
		}
		if got != c.want || (err != nil) != (c.bad != "") || err != nil && !strings.Contains(err.Error(), c.bad) {
			t.Errorf("%q: %q, %v; want %q, %q", c.file, got, err, c.want, c.bad)
		}
		if err != nil && strings.Contains(err.Error(), "secret\"") {
			t.Errorf("%q: the error has the secret: %v", c.file, err)
		}
	}
}

// A ring holds what the file has, in its order, whatever it held before, and a
// list that a reader took from it before does not change under it.
func TestRekeying(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([][]byte, 6)
	for i := range all {
		all[i] = bytes.Repeat([]byte{byte(i)}, 32)
	}
	ring, err := memberlist.NewKeyring(nil, all[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		var want [][]byte
		for _, i := range random.Perm(len(all))[:1+random.IntN(len(all))] {
			want = append(want, all[i])
		}
		held := ring.GetKeys()
		copied := bytes.Join(held, nil)
		if err := rekey(ring, want); err != nil {
			t.Fatal(err)
		}
		if got := ring.GetKeys(); !bytes.Equal(bytes.Join(got, []byte(",")), bytes.Join(want, []byte(","))) {
			t.Fatalf("the ring has %v, want %v", got, want)
		}
		if !bytes.Equal(bytes.Join(held, nil), copied) {
			t.Fatalf("what a reader held was changed to %v", held)
		}
	}
}
