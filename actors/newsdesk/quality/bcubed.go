package quality

// BCubed compares two ways of grouping the same things (Bagga and Baldwin,
// 1998): for each article, which share of those with it belongs there, and
// which share of those that belong there is with it.
type BCubed struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Score is BCubed of the given stories, by article, beside the true ones; nil
// is no story. The mean is over the articles that have a true story; one
// without that was put to them counts against precision.
func Score(given []int64, gold []*string) BCubed {
	type cell struct {
		given int64
		gold  string
	}
	together, size, belongs := map[cell]int{}, map[int64]int{}, map[string]int{}
	for i, s := range given {
		size[s]++
		if g := gold[i]; g != nil {
			belongs[*g]++
			together[cell{s, *g}]++
		}
	}
	var b BCubed
	n := 0
	for i, s := range given {
		g := gold[i]
		if g == nil {
			continue
		}
		n++
		right := float64(together[cell{s, *g}])
		b.Precision += right / float64(size[s])
		b.Recall += right / float64(belongs[*g])
	}
	if n == 0 {
		return BCubed{}
	}
	b.Precision /= float64(n)
	b.Recall /= float64(n)
	b.F1 = 2 * b.Precision * b.Recall / (b.Precision + b.Recall)
	return b
}
