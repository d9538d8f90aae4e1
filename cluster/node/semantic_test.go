package node

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// send writes one text frame as a client does; a mask of zeros is a mask.
func (w *wire) send(text string) error {
	head := []byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}
	if len(text) < 126 {
		head = []byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}
	}
	_, err := w.Write(append(head, text...))
	return err
}

// expect reads frames and wants each to hold its text, in order.
func (w *wire) expect(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		frame, err := w.next()
		if err != nil || !strings.Contains(frame, text) {
			t.Fatalf("got %s %v, want %s", frame, err, text)
		}
	}
}

// unit is a vector along one axis of 1,536, tilted a little towards another.
func unit(axis int, tilt float64) []float64 {
	v := make([]float64, 1536)
	v[axis], v[(axis+1)%1536] = 1, tilt
	return v
}

func embedded(t *testing.T, id string, v []float64) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"id": id, "url": "https://example.com/" + id, "title": "Title of " + id,
		"source": map[string]string{"id": "wire", "name": "Wire"}, "embedding": v, "embedding_model": "birdwire-hash-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

// A connection changes from plain filters to semantic ones and back while
// articles come in: each is decided once, by the filters that count there.
func TestSemanticFiltersAndBack(t *testing.T) {
	n := start(t, Config{})
	key := mint(t, n, "pro")
	w, err := dial(n, "/ws?token="+key)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	filter, err := json.Marshal(unit(7, 0))
	if err != nil {
		t.Fatal(err)
	}
	plain := `{"type":"subscribe","filters":{"topics":["articles"]}}`
	semantic := fmt.Sprintf(`{"type":"subscribe","filters":{"embedding_filters":[{"embedding":%s,"threshold":0.9}]}}`, filter)
	for round := range 3 {
		if err := w.send(plain); err != nil {
			t.Fatal(err)
		}
		w.expect(t, `{"type":"subscribed"`)
		a, b := fmt.Sprint("a", round), fmt.Sprint("b", round)
		pushBody(t, n, key, "articles", embedded(t, a, unit(90, 0))+embedded(t, b, unit(7, .1)))
		w.expect(t, "Title of "+a, "Title of "+b)
		if err := w.send(semantic); err != nil {
			t.Fatal(err)
		}
		w.expect(t, `"embedding_filters":1`)
		c, d := fmt.Sprint("c", round), fmt.Sprint("d", round)
		pushBody(t, n, key, "articles", embedded(t, c, unit(90, 0))+embedded(t, d, unit(7, .1)))
		frame, err := w.next()
		if err != nil || !strings.Contains(frame, "Title of "+d) || !strings.Contains(frame, `"similarity":0.99`) {
			t.Fatalf("round %d: got %s %v, want %s and its similarity", round, frame, err, d)
		}
	}
}
