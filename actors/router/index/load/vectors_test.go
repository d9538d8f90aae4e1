package load

import "testing"

func TestMeasureVectorsFillsEverything(t *testing.T) {
	r, err := MeasureVectors(VectorOptions{Seed: 1, Filters: 40, Events: 3, Now: ticking()})
	if err != nil {
		t.Fatal(err)
	}
	if r.Bytes != 40*1536*4 || r.PerSecond(r.Read.Mean) <= 0 {
		t.Errorf("%d bytes, read at %v a second", r.Bytes, r.PerSecond(r.Read.Mean))
	}
	for name, d := range map[string]Times{"read": r.Read, "scan": r.Scan, "match": r.Match} {
		if d.Mean <= 0 {
			t.Errorf("%s took %v", name, d)
		}
	}
	if r.PerSecond(0) != 0 {
		t.Error("no time is no speed")
	}
}
