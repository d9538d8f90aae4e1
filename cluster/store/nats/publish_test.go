package nats

import (
	"context"
	"encoding/json"
	"testing"

	nc "github.com/nats-io/nats.go"
)

// The quick way of reading the server's word on a write gives what JSON gives,
// or leaves it to JSON.
func FuzzPlainAck(f *testing.F) {
	for _, word := range []string{
		`{"stream":"journal","seq":17}`, `{"stream":"KV_control","seq":18446744073709551615}`,
		`{"stream":"journal","seq":17,"duplicate": true}`, `{"stream":"items","seq":3,"batch":"x","count":2}`,
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"journal","seq":0}`,
		`{"stream":"a","seq":007}`, `{"stream":"a","seq":+7}`, `{"stream":"a","seq":}`, `{"stream":"a","seq":18446744073709551616}`,
		`{"stream":"\u0061","seq":1}`, `{"stream":"a","seq":1}}`, ``,
	} {
		f.Add([]byte(word))
	}
	f.Fuzz(func(t *testing.T, word []byte) {
		sequence, ok := plainAck(word)
		if !ok {
			return
		}
		var want acknowledged
		if err := json.Unmarshal(word, &want); err != nil || want != (acknowledged{Sequence: sequence}) {
			t.Fatalf("%s: sequence %d; JSON says %+v, %v", word, sequence, want, err)
		}
	})
}

// The server that is built in says it as the quick way expects: this fails where
// a newer one says it otherwise.
func TestAcksAreReadTheQuickWay(t *testing.T) {
	s := open(t, Config{})
	for _, subject := range []string{journalSubject + "a", controlSubject + "k", itemsSubject + "a"} {
		answer, err := s.sess.publish(context.Background(), nc.NewMsg(subject))
		if err != nil {
			t.Fatal(err)
		}
		if sequence, ok := plainAck(answer.Data); !ok || sequence != 1 {
			t.Errorf("%s: %q is read as %d, %v", subject, answer.Data, sequence, ok)
		}
	}
}
